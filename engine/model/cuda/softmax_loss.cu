// SPDX-License-Identifier: GPL-3.0-or-later
// Cross entropy of one row of logits a block, its gradient in place: the logits are read once and written once.
#include "engine/model/cuda/common.cuh"

#include <cfloat>

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

/// N packs a thread hold the row in registers.
template <int N>
__global__ void __launch_bounds__(threads) loss(bf16* logits, const std::int64_t* targets, float* nll, bool* correct,
    int vocabulary, std::int64_t stride, bool gradient)
{
    const auto row = std::int64_t(blockIdx.x);
    auto* z = logits + row * stride;
    const auto target = targets[row];
    const int packs = int(stride / V);
    Pack<V> held[N];
    Best best { -FLT_MAX, 0 };
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const int pack = n * threads + int(threadIdx.x);
        if (pack >= packs) continue;
        held[n] = loadPack<V>(z, pack);
#pragma unroll
        for (int i = 0; i < V; ++i)
            if (const int c = pack * V + i; c < vocabulary) best = better(best, { wide(held[n].v[i]), c });
    }
    best = bestOfBlock(best);
    float sum = 0;
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const int pack = n * threads + int(threadIdx.x);
        if (pack >= packs) continue;
#pragma unroll
        for (int i = 0; i < V; ++i)
            if (pack * V + i < vocabulary) sum += __expf(wide(held[n].v[i]) - best.value);
    }
    sum = sumOfBlock(sum);
    if (threadIdx.x == 0) {
        nll[row] = target >= 0 ? best.value + logf(sum) - wide(z[target]) : 0;
        if (correct) correct[row] = target == best.column;
    }
    if (!gradient) return;
    __syncthreads(); // thread 0 has read the target's logit
    const float scale = target >= 0 ? 1 / sum : 0;
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const int pack = n * threads + int(threadIdx.x);
        if (pack >= packs) continue;
#pragma unroll
        for (int i = 0; i < V; ++i) {
            const int c = pack * V + i;
            const float p = c < vocabulary ? scale * __expf(wide(held[n].v[i]) - best.value) : 0;
            held[n].v[i] = narrow(c == target ? p - 1 : p);
        }
        storePack<V>(z, pack, held[n]);
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
    if (packs <= 1)
        run(loss<1>);
    else if (packs <= 2)
        run(loss<2>);
    else if (packs <= 4)
        run(loss<4>);
    else
        run(loss<7>);
    checkLaunch("softmax loss");
}

} // namespace pha::kernels
