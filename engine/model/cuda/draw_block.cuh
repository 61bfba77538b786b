// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/common.cuh"

/// What the threads of a block that draws (draw.cu) find together. All of them call each function.
namespace pha::kernels {

constexpr int threads = 1024, warps = threads / warp;
static_assert(warps == warp, "what the warps found is joined by the lanes of one");
constexpr unsigned all = 0xffffffffu;

__device__ inline int lane() { return int(threadIdx.x) % warp; }
__device__ inline int ownWarp() { return int(threadIdx.x) / warp; }

/// join() of all threads of the block, in each of them.
template <class T, class Join> __device__ T ofBlock(T x, Join join)
{
    __shared__ T shared[warps];
    const auto ofLanes = [&] {
        for (int d = warp / 2; d > 0; d /= 2) x = join(x, __shfl_xor_sync(all, x, d));
    };
    ofLanes();
    __syncthreads(); // who read it before has done so
    if (lane() == 0) shared[ownWarp()] = x;
    __syncthreads();
    x = shared[lane()];
    ofLanes();
    return x;
}
template <class T> __device__ T sumOfBlock(T x)
{
    return ofBlock(x, [](T a, T b) { return a + b; });
}
__device__ inline float highestOfBlock(float x)
{
    return ofBlock(x, [](float a, float b) { return fmaxf(a, b); });
}
__device__ inline float lowestOfBlock(float x)
{
    return ofBlock(x, [](float a, float b) { return fminf(a, b); });
}
__device__ inline int firstOfBlock(int x)
{
    return ofBlock(x, [](int a, int b) { return min(a, b); });
}

/// The sum of the lanes up to this one.
template <class T> __device__ T upToLane(T x)
{
    for (int d = 1; d < warp; d *= 2) {
        const T other = __shfl_up_sync(all, x, d);
        if (lane() >= d) x += other;
    }
    return x;
}
/// The first lane that passes; if rounding left none, the last that has something.
__device__ inline int laneThat(bool passes, bool has)
{
    const unsigned passing = __ballot_sync(all, passes), having = __ballot_sync(all, has);
    return passing ? __ffs(int(passing)) - 1 : warp - 1 - __clz(int(having));
}
/// The first thread at which the running sum of `mine` passes `wanted`, of which is left what the threads before it do
/// not have. Some thread has to have something.
__device__ inline int threadThatPasses(double mine, double& wanted)
{
    __shared__ double sums[warps], rest;
    __shared__ int found;
    const double upTo = upToLane(mine);
    if (lane() == warp - 1) sums[ownWarp()] = upTo;
    __syncthreads();
    const double ofWarp = sums[lane()], through = upToLane(ofWarp);
    const int passing = laneThat(ofWarp > 0 && through > wanted, ofWarp > 0);
    const double left = wanted - __shfl_sync(all, through - ofWarp, passing);
    if (ownWarp() == passing && lane() == laneThat(mine > 0 && upTo > left, mine > 0)) {
        found = int(threadIdx.x);
        rest = fmax(0.0, left - (upTo - mine));
    }
    __syncthreads();
    wanted = rest;
    const int thread = found;
    __syncthreads(); // all have read it
    return thread;
}

} // namespace pha::kernels
