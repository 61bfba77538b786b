// SPDX-License-Identifier: GPL-3.0-or-later
// Cross entropy of one row of logits a block, its gradient in place: the logits are read once and written once.
#include "engine/model/cuda/common.cuh"

#include <cfloat>
#include <cmath>

namespace pha::kernels {

namespace {

constexpr int threads = 1024, V = 8;
static_assert(mostColumns == 7 * V * threads);

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

/// N packs a thread hold the row in registers; padded columns are minus infinity there.
template <int N> __device__ void loadRow(Pack<V> (&held)[N], const bf16* z, int vocabulary, int packs)
{
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const int pack = n * threads + int(threadIdx.x);
        if (pack < packs) held[n] = loadPack<V>(z, pack);
        if (pack * V + V <= vocabulary) continue;
#pragma unroll
        for (int i = 0; i < V; ++i)
            if (pack * V + i >= vocabulary) held[n].v[i] = narrow(-INFINITY);
    }
}

template <int N, bool Correct>
__global__ void __launch_bounds__(threads) loss(bf16* logits, const std::int64_t* targets, float* nll, bool* correct,
    int vocabulary, std::int64_t stride, bool gradient)
{
    const auto row = std::int64_t(blockIdx.x);
    auto* z = logits + row * stride;
    const auto target = targets[row];
    const int packs = int(stride / V);
    Pack<V> held[N];
    loadRow<N>(held, z, vocabulary, packs);
    Best best { -FLT_MAX, 0 };
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 0; i < V; ++i) {
            const float x = wide(held[n].v[i]);
            if (Correct)
                best = better(best, { x, (n * threads + int(threadIdx.x)) * V + i });
            else
                best.value = fmaxf(best.value, x);
        }
    if (Correct)
        best = bestOfBlock(best);
    else
        best.value = maximumOfBlock(best.value);
    float sum = 0;
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 0; i < V; ++i) sum += __expf(wide(held[n].v[i]) - best.value);
    sum = sumOfBlock(sum);
    if (threadIdx.x == 0) {
        nll[row] = target >= 0 ? best.value + logf(sum) - wide(z[target]) : 0;
        if (Correct) correct[row] = target == best.column;
    }
    if (!gradient) return;
    __syncthreads(); // thread 0 has read the target's logit
    const float scale = target >= 0 ? 1 / sum : 0;
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const int pack = n * threads + int(threadIdx.x);
        if (pack >= packs) continue;
#pragma unroll
        for (int i = 0; i < V; ++i) held[n].v[i] = narrow(scale * __expf(wide(held[n].v[i]) - best.value));
        storePack<V>(z, pack, held[n]);
    }
    __syncthreads(); // the whole gradient but the target's -1 is written
    if (threadIdx.x == 0 && target >= 0) {
        const float p = __expf(-nll[row]);
        z[target] = narrow(p - 1);
    }
}

} // namespace

void softmaxLoss(void* logits, const std::int64_t* targets, float* nll, bool* correct, std::int64_t rows,
    std::int64_t vocabulary, std::int64_t stride, bool gradient, Stream stream)
{
    const auto run = [&](auto kernel) {
        kernel<<<unsigned(rows), threads, 0, on(stream)>>>(
            static_cast<bf16*>(logits), targets, nll, correct, int(vocabulary), stride, gradient);
    };
    const auto packs = (stride / V + threads - 1) / threads;
    if (correct)
        packs <= 1 ? run(loss<1, true>) : packs <= 4 ? run(loss<4, true>) : run(loss<7, true>);
    else
        packs <= 1 ? run(loss<1, false>) : packs <= 4 ? run(loss<4, false>) : run(loss<7, false>);
    checkLaunch("softmax loss");
}

} // namespace pha::kernels
