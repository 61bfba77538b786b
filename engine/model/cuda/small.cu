// SPDX-License-Identifier: GPL-3.0-or-later
// What is small and would otherwise be a chain of launches: sums of partial sums, and the weights of a mix.
#include "engine/model/cuda/common.cuh"

namespace pha::kernels {

namespace {

constexpr int strips = 32; // of rows, which a block's warps take in turn

__global__ void __launch_bounds__(strips* warp) sum(const float* x, float* out, std::int64_t rows, std::int64_t columns)
{
    __shared__ float parts[strips][warp + 1];
    const int lane = threadIdx.x % warp, strip = threadIdx.x / warp;
    const auto column = std::int64_t(blockIdx.x) * warp + lane;
    const auto* from = x + blockIdx.y * rows * columns;
    float own = 0;
    if (column < columns)
        for (auto row = std::int64_t(strip); row < rows; row += strips) own += from[row * columns + column];
    parts[strip][lane] = own;
    __syncthreads();
    const float all = sumLanes(parts[lane][strip]); // this warp's column is its number now
    const auto mine = std::int64_t(blockIdx.x) * warp + strip;
    if (lane == 0 && mine < columns) out[blockIdx.y * columns + mine] = all;
}

/// One lane a branch. Softplus and softmax are normalised over the branches, sigmoid is not.
__device__ float weight(MixWeights kind, float logit, bool there, float& s, float& whole)
{
    if (kind == MixWeights::Sigmoid) return s = 1 / (1 + expf(-logit));
    float largest = there ? logit : -3e38f;
    for (int d = warp / 2; d > 0; d /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, d));
    s = kind == MixWeights::Softmax ? expf(logit - largest) : logit > 20 ? logit : log1pf(expf(logit));
    whole = sumLanes(there ? s : 0.0f);
    return s / whole;
}

__global__ void mix(MixWeights kind, const float* logits, const float* dw, float* out, int count)
{
    const int lane = threadIdx.x;
    const bool there = lane < count;
    const float logit = there ? logits[lane] : 0;
    float s, whole = 1;
    const float w = weight(kind, logit, there, s, whole);
    float result = w;
    if (dw) {
        const float g = there ? dw[lane] : 0, mean = sumLanes(there ? g * w : 0.0f);
        result = kind == MixWeights::Sigmoid ? g * w * (1 - w)
            : kind == MixWeights::Softmax    ? w * (g - mean)
                                             : (g - mean) / whole / (1 + expf(-logit));
    }
    if (there) out[lane] = result;
}

} // namespace

void columnSums(
    const float* x, float* out, std::int64_t matrices, std::int64_t rows, std::int64_t columns, Stream stream)
{
    if (columns == 0 || matrices == 0) return;
    sum<<<dim3(blocksFor(columns, warp), unsigned(matrices)), strips * warp, 0, on(stream)>>>(x, out, rows, columns);
    checkLaunch("sums of columns");
}
void mixWeights(MixWeights kind, const float* logits, const float* dw, float* out, int count, Stream stream)
{
    mix<<<1, warp, 0, on(stream)>>>(kind, logits, dw, out, count);
    checkLaunch("weights of a mix");
}

} // namespace pha::kernels
