// SPDX-License-Identifier: GPL-3.0-or-later
// Matrix times a few vectors: one warp for each output.
#include "engine/model/cuda/common.cuh"

namespace pha::kernels {

namespace {

constexpr int warps = 4, V = 8;

template <int R>
__global__ void __launch_bounds__(warps* warp)
    multiply(const bf16* x, const bf16* w, bf16* y, std::int64_t inner, std::int64_t outer)
{
    const int lane = threadIdx.x % warp, packs = int(inner / V);
    const auto n = std::int64_t(blockIdx.x) * warps + threadIdx.x / warp;
    if (n >= outer) return;
    float sum[R] = {};
#pragma unroll 4
    for (int pack = lane; pack < packs; pack += warp) {
        const auto row = loadPack<V>(w + n * inner, pack);
#pragma unroll
        for (int r = 0; r < R; ++r) {
            const auto in = loadPack<V>(x + r * inner, pack);
#pragma unroll
            for (int i = 0; i < V; ++i) sum[r] = fmaf(wide(row.v[i]), wide(in.v[i]), sum[r]);
        }
    }
#pragma unroll
    for (int r = 0; r < R; ++r) {
        sum[r] = sumLanes(sum[r]);
        if (lane == 0) y[r * outer + n] = narrow(sum[r]);
    }
}

template <int R>
void launch(const void* x, const void* w, void* y, std::int64_t inner, std::int64_t outer, Stream stream)
{
    multiply<R><<<blocksFor(outer, warps), warps * warp, 0, on(stream)>>>(
        static_cast<const bf16*>(x), static_cast<const bf16*>(w), static_cast<bf16*>(y), inner, outer);
}

} // namespace

void fewRows(
    const void* x, const void* w, void* y, std::int64_t rows, std::int64_t inner, std::int64_t outer, Stream stream)
{
    switch (rows) {
    case 1:
        launch<1>(x, w, y, inner, outer, stream);
        break;
    case 2:
        launch<2>(x, w, y, inner, outer, stream);
        break;
    case 3:
        launch<3>(x, w, y, inner, outer, stream);
        break;
    default:
        launch<4>(x, w, y, inner, outer, stream);
    }
    checkLaunch("few rows");
}

} // namespace pha::kernels
