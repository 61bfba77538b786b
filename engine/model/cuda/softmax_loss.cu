// SPDX-License-Identifier: GPL-3.0-or-later
// Cross entropy of one row of logits a block, its gradient in place: the logits are read once and written once.
#include "engine/model/cuda/common.cuh"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace pha::kernels {

namespace {

constexpr int threads = 1024, V = 8;

struct Best {
    float value;
    int column;
};
__device__ Best better(Best a, Best b)
{
    return b.value > a.value || (b.value == a.value && b.column < a.column) ? b : a;
}
__device__ Best bestOfBlock(Best x)
{
    __shared__ Best shared[threads / warp];
    for (int d = warp / 2; d > 0; d /= 2)
        x = better(x, { __shfl_xor_sync(0xffffffffu, x.value, d), __shfl_xor_sync(0xffffffffu, x.column, d) });
    if (threadIdx.x % warp == 0) shared[threadIdx.x / warp] = x;
    __syncthreads();
    x = shared[threadIdx.x % warp];
    for (int d = warp / 2; d > 0; d /= 2)
        x = better(x, { __shfl_xor_sync(0xffffffffu, x.value, d), __shfl_xor_sync(0xffffffffu, x.column, d) });
    return x;
}
__device__ float sumOfBlock(float x)
{
    __shared__ float shared[threads / warp];
    x = sumLanes(x);
    if (threadIdx.x % warp == 0) shared[threadIdx.x / warp] = x;
    __syncthreads();
    return sumLanes(shared[threadIdx.x % warp]);
}

__device__ float maximumOfBlock(float x)
{
    __shared__ float shared[threads / warp];
    for (int d = warp / 2; d > 0; d /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, d));
    if (threadIdx.x % warp == 0) shared[threadIdx.x / warp] = x;
    __syncthreads();
    x = shared[threadIdx.x % warp];
    for (int d = warp / 2; d > 0; d /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, d));
    return x;
}

__device__ float powerOfTwo(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/// 16 bytes of memory to shared memory, which only the same thread reads before the next barrier.
__device__ void copyAsync(void* to, const void* from)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(unsigned(__cvta_generic_to_shared(to))), "l"(from));
}

/// The row in shared memory, so that two blocks fit a processor and one computes while the other waits for memory;
/// padded columns become minus infinity. A thread loads the packs that it will work on itself.
__device__ void loadRow(Pack<V>* held, const bf16* z, int vocabulary, int packs)
{
    for (int pack = threadIdx.x; pack < packs; pack += threads) copyAsync(held + pack, z + pack * V);
    asm volatile("cp.async.wait_all;");
    for (int pack = threadIdx.x; pack < packs; pack += threads)
        for (int column = max(pack * V, vocabulary); column < pack * V + V; ++column)
            held[pack].v[column % V] = narrow(-INFINITY);
}
template <bool Correct> __device__ Best largest(const Pack<V>* held, int packs)
{
    Best best { -FLT_MAX, 0 };
    for (int pack = threadIdx.x; pack < packs; pack += threads) {
        const auto x = held[pack];
#pragma unroll
        for (int i = 0; i < V; ++i) {
            if (Correct)
                best = better(best, { wide(x.v[i]), pack * V + i });
            else
                best.value = fmaxf(best.value, wide(x.v[i]));
        }
    }
    if (Correct) return bestOfBlock(best);
    return { maximumOfBlock(best.value), 0 };
}

template <bool Correct>
__global__ void __launch_bounds__(threads, 2) loss(bf16* logits, const std::int64_t* targets, float* nll, bool* correct,
    int vocabulary, std::int64_t stride, bool gradient)
{
    extern __shared__ __align__(16) unsigned char memory[];
    auto* held = reinterpret_cast<Pack<V>*>(memory);
    const auto row = std::int64_t(blockIdx.x);
    auto* z = logits + row * stride;
    const int target = int(targets[row]), packs = int(stride / V);
    loadRow(held, z, vocabulary, packs);
    const auto best = largest<Correct>(held, packs);
    constexpr float perNat = 1.44269504f; // exp(x) is 2^(x log2 e)
    const float top = best.value * perNat;
    float sum = 0;
    for (int pack = threadIdx.x; pack < packs; pack += threads) {
        const auto x = held[pack];
#pragma unroll
        for (int i = 0; i < V; ++i) sum += powerOfTwo(fmaf(wide(x.v[i]), perNat, -top));
    }
    sum = sumOfBlock(sum);
    if (threadIdx.x == 0) {
        nll[row] = target >= 0 ? best.value + logf(sum) - wide(held[target / V].v[target % V]) : 0;
        if (Correct) correct[row] = target == best.column;
    }
    if (!gradient) return;
    const float scale = target >= 0 ? 1 / sum : 0;
    for (int pack = threadIdx.x; pack < packs; pack += threads) {
        const auto x = held[pack];
        const bool aimed = target >= 0 && pack == target / V;
        Pack<V> g;
#pragma unroll
        for (int i = 0; i < V; ++i) {
            float p = scale * powerOfTwo(fmaf(wide(x.v[i]), perNat, -top));
            if (aimed && i == target % V) p -= 1;
            g.v[i] = narrow(p);
        }
        storePack<V>(z, pack, g);
    }
}

template <bool Correct>
void run(void* logits, const std::int64_t* targets, float* nll, bool* correct, std::int64_t rows,
    std::int64_t vocabulary, std::int64_t stride, bool gradient, Stream stream)
{
    const cudaError_t allowed = cudaFuncSetAttribute( // of the current card: there may be several
        loss<Correct>, cudaFuncAttributeMaxDynamicSharedMemorySize, int(mostColumns() * std::int64_t(sizeof(bf16))));
    if (allowed != cudaSuccess) throw std::runtime_error(cudaGetErrorString(allowed));
    loss<Correct><<<unsigned(rows), threads, std::size_t(stride) * sizeof(bf16), on(stream)>>>(
        static_cast<bf16*>(logits), targets, nll, correct, int(vocabulary), stride, gradient);
}

} // namespace

std::int64_t mostColumns()
{
    constexpr int forSums = 512; // bytes, that the reductions of a block take
    const auto bytes = std::max(0, attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin) - forSums);
    return std::int64_t(bytes) / std::int64_t(sizeof(bf16)) / V * V;
}

void softmaxLoss(void* logits, const std::int64_t* targets, float* nll, bool* correct, std::int64_t rows,
    std::int64_t vocabulary, std::int64_t stride, bool gradient, Stream stream)
{
    if (rows == 0) return;
    correct ? run<true>(logits, targets, nll, correct, rows, vocabulary, stride, gradient, stream)
            : run<false>(logits, targets, nll, correct, rows, vocabulary, stride, gradient, stream);
    checkLaunch("softmax loss");
}

} // namespace pha::kernels
