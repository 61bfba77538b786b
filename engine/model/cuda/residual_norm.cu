// SPDX-License-Identifier: GPL-3.0-or-later
// The residual stream between two parts of a block: mix, branch norms, addition and the next norm in one pass.
#include "engine/model/cuda/common.cuh"

namespace pha::kernels {

namespace {

constexpr int warps = 8; // of a block; each takes whole rows

/// A lane's share of a row: N vectors of four neighbours, 128 columns apart.
template <int N> struct Row {
    float v[N][4];
};
template <int N> __device__ void load(Row<N>& r, const float* p, int width, int lane)
{
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = (i * warp + lane) * 4;
        const float4 x = c < width ? *reinterpret_cast<const float4*>(p + c) : float4 { 0, 0, 0, 0 };
        r.v[i][0] = x.x, r.v[i][1] = x.y, r.v[i][2] = x.z, r.v[i][3] = x.w;
    }
}
template <int N> __device__ void load(Row<N>& r, const bf16* p, int width, int lane)
{
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = (i * warp + lane) * 4;
        Pack<4> x {};
        if (c < width) x = *reinterpret_cast<const Pack<4>*>(p + c);
        for (int j = 0; j < 4; ++j) r.v[i][j] = c < width ? wide(x.v[j]) : 0.0f;
    }
}
template <int N> __device__ void store(const Row<N>& r, float* p, int width, int lane)
{
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = (i * warp + lane) * 4;
        if (c < width) *reinterpret_cast<float4*>(p + c) = float4 { r.v[i][0], r.v[i][1], r.v[i][2], r.v[i][3] };
    }
}
template <int N> __device__ void store(const Row<N>& r, bf16* p, int width, int lane)
{
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const int c = (i * warp + lane) * 4;
        if (c >= width) continue;
        Pack<4> x;
        for (int j = 0; j < 4; ++j) x.v[j] = narrow(r.v[i][j]);
        *reinterpret_cast<Pack<4>*>(p + c) = x;
    }
}
/// Sum over the row of f(vector, element).
template <int N, class F> __device__ float sumRow(F&& f)
{
    float sum = 0;
#pragma unroll
    for (int i = 0; i < N; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum += f(i, j);
    return sumLanes(sum);
}
template <int N, class F> __device__ void each(F&& f)
{
#pragma unroll
    for (int i = 0; i < N; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) f(i, j);
}

template <int N> __device__ void drop(Row<N>& r, const ResidualNorm& p, std::int64_t row, int lane)
{
    const auto limit = unsigned(double(p.keep) * 4294967295.0);
    const float scale = 1 / p.keep;
    const auto seed = p.seedAt ? std::uint64_t(*p.seedAt) : p.seed;
    const auto offset = p.offset + (p.offsetAt ? std::uint64_t(*p.offsetAt) : 0);
#pragma unroll
    for (int i = 0; i < N; ++i) {
        const auto at = std::uint64_t(row) * unsigned(p.width / 4) + unsigned(i * warp + lane);
        const uint4 u = philox(seed, offset, at);
        r.v[i][0] *= u.x <= limit ? scale : 0;
        r.v[i][1] *= u.y <= limit ? scale : 0;
        r.v[i][2] *= u.z <= limit ? scale : 0;
        r.v[i][3] *= u.w <= limit ? scale : 0;
    }
}

__device__ float weightOf(const ResidualNorm& p, std::int64_t row, int k)
{
    if (!p.weights) return 1;
    return p.weights[p.tokenWeights ? row * p.branches + k : k];
}

/// The backward pass takes the normalised row from y / gain: a gain of exactly 0 would lose it.
__device__ float nonzero(float gain) { return gain == 0 ? 1e-30f : gain; }

template <int N, int K> __global__ void __launch_bounds__(warps* warp) forward(ResidualNorm p)
{
    const int lane = threadIdx.x % warp;
    const auto row = std::int64_t(blockIdx.x) * warps + threadIdx.x / warp;
    if (row >= p.rows) return;
    Row<N> x;
    load(x, p.x + row * p.width, p.width, lane);
    if (K > 0) {
        Row<N> f {};
#pragma unroll
        for (int k = 0; k < K; ++k) {
            Row<N> z;
            load(z, static_cast<const bf16*>(p.z[k]) + row * p.width, p.width, lane);
            float w = weightOf(p, row, k) * p.beta;
            if (p.normed) {
                const float square = sumRow<N>([&](int i, int j) { return z.v[i][j] * z.v[i][j]; });
                const float inverse = rsqrtf(square / p.width + p.branchEps);
                if (lane == 0 && p.branchInverse) p.branchInverse[row * K + k] = inverse;
                w *= inverse;
            }
            each<N>([&](int i, int j) { f.v[i][j] += w * z.v[i][j]; });
        }
        if (p.keep < 1) drop(f, p, row, lane);
        each<N>([&](int i, int j) { x.v[i][j] = p.alpha * x.v[i][j] + f.v[i][j]; });
        store(x, p.x1 + row * p.width, p.width, lane);
    }
    if (!p.gain) return;
    const float square = sumRow<N>([&](int i, int j) { return x.v[i][j] * x.v[i][j]; });
    const float inverse = rsqrtf(square / p.width + p.eps);
    if (lane == 0 && p.inverse) p.inverse[row] = inverse;
    Row<N> gain;
    load(gain, p.gain, p.width, lane);
    each<N>([&](int i, int j) { x.v[i][j] *= inverse * nonzero(gain.v[i][j]); });
    store(x, static_cast<bf16*>(p.y) + row * p.width, p.width, lane);
}

/// g = gradient of x1, then of x and the branches.
template <int N, int K> __global__ void __launch_bounds__(warps* warp, N <= 6 ? 2 : 1) backward(ResidualNorm p)
{
    const int lane = threadIdx.x % warp;
    Row<N> dgain {};
    float dweights[K + 1] = {}; // of all rows together
    const auto keepDot = [&](std::int64_t row, int k, float dot) {
        if (p.tokenWeights && lane == 0) p.dweights[row * K + k] = dot;
        dweights[k] += dot;
    };
    for (auto row = std::int64_t(blockIdx.x) * warps + threadIdx.x / warp; row < p.rows;
         row += std::int64_t(gridDim.x) * warps) {
        Row<N> g {};
        if (p.dx1) load(g, p.dx1 + row * p.width, p.width, lane);
        if (p.y) {
            Row<N> x, dy {}, gain;
            load(x, static_cast<const bf16*>(p.y) + row * p.width, p.width, lane);
#pragma unroll
            for (int k = 0; k < mostBranches; ++k) {
                if (!p.dy[k]) continue;
                Row<N> part;
                load(part, static_cast<const bf16*>(p.dy[k]) + row * p.width, p.width, lane);
                each<N>([&](int i, int j) { dy.v[i][j] += part.v[i][j]; });
            }
            load(gain, p.gain, p.width, lane);
            const float inverse = p.inverse[row];
            each<N>([&](int i, int j) {
                x.v[i][j] = __fdividef(x.v[i][j], nonzero(gain.v[i][j]));
                dgain.v[i][j] += dy.v[i][j] * x.v[i][j];
                dy.v[i][j] *= gain.v[i][j];
            });
            const float mean = sumRow<N>([&](int i, int j) { return dy.v[i][j] * x.v[i][j]; }) / p.width;
            each<N>([&](int i, int j) { g.v[i][j] += inverse * (dy.v[i][j] - x.v[i][j] * mean); });
        }
        if (p.dx) {
            Row<N> dx;
            each<N>([&](int i, int j) { dx.v[i][j] = p.alpha * g.v[i][j]; });
            store(dx, p.dx + row * p.width, p.width, lane);
        }
        if (K == 0) continue;
        each<N>([&](int i, int j) { g.v[i][j] *= p.beta; });
        if (p.keep < 1) drop(g, p, row, lane);
#pragma unroll
        for (int k = 0; k < K; ++k) {
            Row<N> z;
            const float w = weightOf(p, row, k);
            if (p.normed) {
                load(z, static_cast<const bf16*>(p.z[k]) + row * p.width, p.width, lane);
                const float inverse = p.branchInverse[row * K + k];
                each<N>([&](int i, int j) { z.v[i][j] *= inverse; });
                const float dot = sumRow<N>([&](int i, int j) { return g.v[i][j] * z.v[i][j]; });
                if (p.dweights) keepDot(row, k, dot);
                const float mean = dot / p.width, scale = w * inverse;
                each<N>([&](int i, int j) { z.v[i][j] = scale * (g.v[i][j] - z.v[i][j] * mean); });
            } else {
                if (p.dweights) {
                    load(z, static_cast<const bf16*>(p.z[k]) + row * p.width, p.width, lane);
                    keepDot(row, k, sumRow<N>([&](int i, int j) { return g.v[i][j] * z.v[i][j]; }));
                }
                each<N>([&](int i, int j) { z.v[i][j] = w * g.v[i][j]; });
            }
            store(z, static_cast<bf16*>(p.dz[k]) + row * p.width, p.width, lane);
        }
    }
    if (K > 0 && p.dweights && !p.tokenWeights) {
        __shared__ float shares[warps][K + 1];
        if (lane == 0)
            for (int k = 0; k < K; ++k) shares[threadIdx.x / warp][k] = dweights[k];
        __syncthreads();
        if (int(threadIdx.x) < K) {
            float sum = 0;
            for (int w = 0; w < warps; ++w) sum += shares[w][threadIdx.x];
            p.dweights[blockIdx.x * K + threadIdx.x] = sum;
        }
    }
    if (!p.dgain) return;
    __shared__ float sums[warps][warp * 4]; // one vector of every warp at a time
#pragma unroll
    for (int i = 0; i < N; ++i) {
        for (int j = 0; j < 4; ++j) sums[threadIdx.x / warp][lane * 4 + j] = dgain.v[i][j];
        __syncthreads();
        const int c = threadIdx.x;
        if (c < warp * 4 && i * warp * 4 + c < p.width) {
            float sum = 0;
            for (int w = 0; w < warps; ++w) sum += sums[w][c];
            p.dgain[std::int64_t(blockIdx.x) * p.width + i * warp * 4 + c] = sum;
        }
        __syncthreads();
    }
}

template <int N, int K> void launch(const ResidualNorm& p, bool back, Stream stream)
{
    if (back)
        backward<N, K><<<residualNormBlocks(), warps * warp, 0, on(stream)>>>(p);
    else
        forward<N, K><<<blocksFor(p.rows, warps), warps * warp, 0, on(stream)>>>(p);
}

template <int N> void launchBranches(const ResidualNorm& p, bool back, Stream stream)
{
    if (p.branches == 0) return launch<N, 0>(p, back, stream);
    if (p.branches == 1) return launch<N, 1>(p, back, stream);
    if (p.branches == 2) return launch<N, 2>(p, back, stream);
    launch<N, 3>(p, back, stream);
}

void launchWidth(const ResidualNorm& p, bool back, Stream stream)
{
    if (p.rows == 0) return;
    const int vectors = (p.width + 127) / 128;
    if (vectors <= 2)
        launchBranches<2>(p, back, stream);
    else if (vectors <= 4)
        launchBranches<4>(p, back, stream);
    else if (vectors == 5)
        launchBranches<5>(p, back, stream);
    else if (vectors == 6)
        launchBranches<6>(p, back, stream);
    else if (vectors == 7)
        launchBranches<7>(p, back, stream);
    else
        launchBranches<8>(p, back, stream);
    checkLaunch("residual norm");
}

} // namespace

int residualNormBlocks() { return 4 * processors(); }
bool residualNormFits(std::int64_t width) { return width % 4 == 0 && width <= 1024; }
void residualNormForward(const ResidualNorm& p, Stream stream) { launchWidth(p, false, stream); }
void residualNormBackward(const ResidualNorm& p, Stream stream) { launchWidth(p, true, stream); }

} // namespace pha::kernels
