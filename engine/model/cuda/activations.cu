// SPDX-License-Identifier: GPL-3.0-or-later
// Activations of the feed-forward networks and the gate and input of the GSS branch.
#include "engine/model/cuda/common.cuh"

#include <type_traits>

namespace pha::kernels {

namespace {

constexpr int threads = 256;

__device__ void activation(Activation kind, float gate, float up, float& value, float& dgate, float& dup)
{
    if (kind == Activation::SwiGlu) {
        const float s = sigmoid(gate), silu = gate * s;
        value = silu * up;
        dgate = up * (s + silu * (1 - s));
        dup = silu;
    } else if (kind == Activation::Gelu) {
        geluBoth(gate, value, dgate);
    } else if (kind == Activation::GeluTanh) {
        const float inner = 0.79788456f * (gate + 0.044715f * gate * gate * gate);
        const float s = sigmoid(2 * inner); // (1 + tanh) / 2
        value = gate * s;
        dgate = s + gate * 2 * s * (1 - s) * 0.79788456f * (1 + 3 * 0.044715f * gate * gate);
    } else {
        const float r = fmaxf(gate, 0.0f);
        value = r * r;
        dgate = 2 * r;
    }
}

/// One thread takes V neighbouring columns of a row.
template <Activation Kind, int V, bool Back>
__global__ void __launch_bounds__(threads)
    activate(const void* dout, const void* in, void* din, void* out, std::int64_t rows, std::int64_t hidden)
{
    constexpr bool paired = Kind == Activation::SwiGlu;
    const auto packs = hidden / V, at = std::int64_t(blockIdx.x) * threads + threadIdx.x;
    if (at >= rows * packs) return;
    const auto row = at / packs, column = at % packs;
    const auto gateAt = paired ? row * 2 * packs + column : at, upAt = gateAt + packs;
    const auto gate = loadPack<V>(in, gateAt);
    Pack<V> up {}, d {}, value, dgate, dup;
    if (paired) up = loadPack<V>(in, upAt);
    if (Back) d = loadPack<V>(dout, at);
#pragma unroll
    for (int i = 0; i < V; ++i) {
        float y, dg, du = 0;
        activation(Kind, wide(gate.v[i]), wide(up.v[i]), y, dg, du);
        value.v[i] = narrow(y);
        dgate.v[i] = narrow(wide(d.v[i]) * dg);
        dup.v[i] = narrow(wide(d.v[i]) * du);
    }
    storePack<V>(out, at, value);
    if (!Back) return;
    storePack<V>(din, gateAt, dgate);
    if (paired) storePack<V>(din, upAt, dup);
}

template <Activation Kind, bool Back>
void launchKind(
    const void* dout, const void* in, void* din, void* out, std::int64_t rows, std::int64_t hidden, Stream stream)
{
    if (rows == 0) return;
    if (hidden % 8 == 0)
        activate<Kind, 8, Back>
            <<<blocksFor(rows * hidden / 8, threads), threads, 0, on(stream)>>>(dout, in, din, out, rows, hidden);
    else
        activate<Kind, 1, Back>
            <<<blocksFor(rows * hidden, threads), threads, 0, on(stream)>>>(dout, in, din, out, rows, hidden);
    checkLaunch("activation");
}

template <bool Back>
void launch(Activation kind, const void* dout, const void* in, void* din, void* out, std::int64_t rows,
    std::int64_t hidden, Stream stream)
{
    switch (kind) {
    case Activation::SwiGlu:
        return launchKind<Activation::SwiGlu, Back>(dout, in, din, out, rows, hidden, stream);
    case Activation::Gelu:
        return launchKind<Activation::Gelu, Back>(dout, in, din, out, rows, hidden, stream);
    case Activation::GeluTanh:
        return launchKind<Activation::GeluTanh, Back>(dout, in, din, out, rows, hidden, stream);
    case Activation::Relu2:
        return launchKind<Activation::Relu2, Back>(dout, in, din, out, rows, hidden, stream);
    }
}

template <int V, bool Back>
__global__ void __launch_bounds__(threads) gate(const void* dout, void* expanded, const void* projected,
    void* dprojected, void* out, std::int64_t rows, std::int64_t expand, std::int64_t channels)
{
    const auto packs = expand / V, wholePacks = (expand + channels) / V;
    const auto at = std::int64_t(blockIdx.x) * threads + threadIdx.x;
    if (at >= rows * packs) return;
    const auto valueAt = at / packs * wholePacks + at % packs;
    const auto e = loadPack<V>(expanded, at), v = loadPack<V>(projected, valueAt);
    Pack<V> d {}, product, de, dv;
    if (Back) d = loadPack<V>(dout, at);
#pragma unroll
    for (int i = 0; i < V; ++i) {
        float y, slope;
        geluBoth(wide(v.v[i]), y, slope);
        product.v[i] = narrow(wide(e.v[i]) * y);
        de.v[i] = narrow(wide(d.v[i]) * y);
        dv.v[i] = narrow(wide(d.v[i]) * wide(e.v[i]) * slope);
    }
    storePack<V>(out, at, product);
    if (!Back) return;
    storePack<V>(expanded, at, de);
    storePack<V>(dprojected, valueAt, dv);
}

template <bool Back>
void launchGate(const void* dout, void* expanded, const void* projected, void* dprojected, void* out, std::int64_t rows,
    std::int64_t expand, std::int64_t channels, Stream stream)
{
    if (rows == 0) return;
    if (expand % 8 == 0 && channels % 8 == 0)
        gate<8, Back><<<blocksFor(rows * expand / 8, threads), threads, 0, on(stream)>>>(
            dout, expanded, projected, dprojected, out, rows, expand, channels);
    else
        gate<1, Back><<<blocksFor(rows * expand, threads), threads, 0, on(stream)>>>(
            dout, expanded, projected, dprojected, out, rows, expand, channels);
    checkLaunch("GSS gate");
}

constexpr int inputWarps = 8, mostChannels = 512;

/// A warp takes a row, a lane N packs of V channels, 32 V apart.
template <int V, int N>
__global__ void __launch_bounds__(inputWarps* warp)
    inputForward(const bf16* projected, float* inverse, std::int64_t rows, std::int64_t expand, int channels, float eps)
{
    const int lane = threadIdx.x % warp;
    const auto row = std::int64_t(blockIdx.x) * inputWarps + threadIdx.x / warp;
    if (row >= rows) return;
    const auto* v = projected + row * (expand + channels) + expand;
    float square = 0;
#pragma unroll
    for (int n = 0; n < N; ++n) {
        const int pack = n * warp + lane;
        if (pack * V >= channels) break;
        const auto x = loadPack<V>(v, pack);
#pragma unroll
        for (int i = 0; i < V; ++i) {
            const float a = gelu(wide(x.v[i]));
            square += a * a;
        }
    }
    const float scale = rsqrtf(sumLanes(square) / channels + eps);
    if (lane == 0) inverse[row] = scale;
}

template <int V, int N>
__global__ void __launch_bounds__(inputWarps* warp)
    inputBackward(const float* dx, const bf16* projected, const float* gain, const float* inverse, bf16* dprojected,
        float* dgain, std::int64_t rows, std::int64_t expand, int channels)
{
    const int lane = threadIdx.x % warp;
    float sums[N][V] = {};
    for (auto row = std::int64_t(blockIdx.x) * inputWarps + threadIdx.x / warp; row < rows;
         row += std::int64_t(gridDim.x) * inputWarps) {
        const auto at = row * (expand + channels) + expand;
        const float scale = inverse[row];
        float normed[N][V], slope[N][V], g[N][V], dot = 0;
#pragma unroll
        for (int n = 0; n < N; ++n) {
            const int pack = n * warp + lane;
            if (pack * V >= channels) break;
            const auto x = loadPack<V>(projected + at, pack);
#pragma unroll
            for (int i = 0; i < V; ++i) {
                float a;
                geluBoth(wide(x.v[i]), a, slope[n][i]);
                normed[n][i] = a * scale;
                g[n][i] = dx[row * channels + pack * V + i];
                sums[n][i] += g[n][i] * normed[n][i];
                g[n][i] *= gain[pack * V + i];
                dot += g[n][i] * normed[n][i];
            }
        }
        const float mean = sumLanes(dot) / channels;
#pragma unroll
        for (int n = 0; n < N; ++n) {
            const int pack = n * warp + lane;
            if (pack * V >= channels) break;
            Pack<V> d;
#pragma unroll
            for (int i = 0; i < V; ++i) d.v[i] = narrow(scale * (g[n][i] - normed[n][i] * mean) * slope[n][i]);
            storePack<V>(dprojected + at, pack, d);
        }
    }
    __shared__ float shared[inputWarps][warp];
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int i = 0; i < V; ++i) {
            shared[threadIdx.x / warp][lane] = sums[n][i];
            __syncthreads();
            if (const int c = (n * warp + int(threadIdx.x)) * V + i; threadIdx.x < warp && c < channels) {
                float sum = 0;
                for (int w = 0; w < inputWarps; ++w) sum += shared[w][lane];
                dgain[std::int64_t(blockIdx.x) * channels + c] = sum;
            }
            __syncthreads();
        }
}

/// Packs of four where the rows allow it, as many a lane as the channels need.
template <class F> void withPacks(std::int64_t expand, std::int64_t channels, F&& run)
{
    using std::integral_constant;
    if (expand % 4 || channels % 4)
        return run(integral_constant<int, 1>(), integral_constant<int, mostChannels / warp>());
    if (channels <= 4 * warp) return run(integral_constant<int, 4>(), integral_constant<int, 1>());
    if (channels <= 8 * warp) return run(integral_constant<int, 4>(), integral_constant<int, 2>());
    run(integral_constant<int, 4>(), integral_constant<int, mostChannels / 4 / warp>());
}

} // namespace

void activationForward(
    Activation kind, const void* in, void* out, std::int64_t rows, std::int64_t hidden, Stream stream)
{
    launch<false>(kind, nullptr, in, nullptr, out, rows, hidden, stream);
}
void activationBackward(Activation kind, const void* dout, const void* in, void* din, void* out, std::int64_t rows,
    std::int64_t hidden, Stream stream)
{
    launch<true>(kind, dout, in, din, out, rows, hidden, stream);
}
void gateForward(const void* expanded, const void* projected, void* out, std::int64_t rows, std::int64_t expand,
    std::int64_t channels, Stream stream)
{
    launchGate<false>(
        nullptr, const_cast<void*>(expanded), projected, nullptr, out, rows, expand, channels, stream); // only read
}
void gateBackward(const void* dout, void* expanded, const void* projected, void* dprojected, void* out,
    std::int64_t rows, std::int64_t expand, std::int64_t channels, Stream stream)
{
    launchGate<true>(dout, expanded, projected, dprojected, out, rows, expand, channels, stream);
}
void gssInputForward(const void* projected, float* inverse, std::int64_t rows, std::int64_t expand,
    std::int64_t channels, float eps, Stream stream)
{
    if (rows == 0) return;
    withPacks(expand, channels, [&](auto v, auto n) {
        inputForward<decltype(v)::value, decltype(n)::value>
            <<<blocksFor(rows, inputWarps), inputWarps * warp, 0, on(stream)>>>(
                static_cast<const bf16*>(projected), inverse, rows, expand, int(channels), eps);
    });
    checkLaunch("GSS input");
}
void gssInputBackward(const float* dx, const void* projected, const float* gain, const float* inverse, void* dprojected,
    float* dgain, std::int64_t rows, std::int64_t expand, std::int64_t channels, Stream stream)
{
    withPacks(expand, channels, [&](auto v, auto n) {
        inputBackward<decltype(v)::value, decltype(n)::value>
            <<<residualNormBlocks(), inputWarps * warp, 0, on(stream)>>>(dx, static_cast<const bf16*>(projected), gain,
                inverse, static_cast<bf16*>(dprojected), dgain, rows, expand, int(channels));
    });
    checkLaunch("GSS input, backward");
}

} // namespace pha::kernels
