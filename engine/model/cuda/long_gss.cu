// SPDX-License-Identifier: GPL-3.0-or-later
// What stands around the Fourier transforms of a GSS branch with many shared states: signals laid out for them, their
// products, and the kernel's table of powers.
#include "engine/model/cuda/common.cuh"
#include "engine/model/cuda/complex.cuh"

#include <algorithm>

namespace pha::kernels {

namespace {

constexpr int tile = 32, tileRows = 8;

/// rows (B T, stride) from column `offset` -> signal (B,h,size), zeros behind T.
template <bool Input>
__global__ void layOut(Signal s, const bf16* rows, std::int64_t stride, std::int64_t offset, const float* inverse,
    const float* gain, float* out)
{
    __shared__ float held[tile][tile + 1];
    const auto t0 = std::int64_t(blockIdx.x) * tile, c0 = std::int64_t(blockIdx.y) * tile;
    for (std::int64_t b = blockIdx.z; b < s.batch; b += gridDim.z) {
        for (int i = threadIdx.y; i < tile; i += tileRows) {
            const auto t = t0 + i, c = c0 + threadIdx.x, row = b * s.length + t;
            float x = 0;
            if (t < s.length && c < s.channels) {
                x = wide(rows[row * stride + offset + c]);
                if (Input) x = gelu(x) * inverse[row] * gain[c];
            }
            held[i][threadIdx.x] = x;
        }
        __syncthreads();
        for (int i = threadIdx.y; i < tile; i += tileRows) {
            const auto t = t0 + threadIdx.x, c = c0 + i;
            if (t < s.size && c < s.channels) out[(b * s.channels + c) * s.size + t] = held[threadIdx.x][i];
        }
        __syncthreads();
    }
}

/// a + skip b of signals -> rows (B T, h).
template <class Out> __global__ void gather(Signal s, const float* a, const float* skip, const float* b, Out* rows)
{
    __shared__ float held[tile][tile + 1];
    const auto t0 = std::int64_t(blockIdx.x) * tile, c0 = std::int64_t(blockIdx.y) * tile;
    for (std::int64_t text = blockIdx.z; text < s.batch; text += gridDim.z) {
        for (int i = threadIdx.y; i < tile; i += tileRows) {
            const auto t = t0 + threadIdx.x, c = c0 + i, at = (text * s.channels + c) * s.size + t;
            if (t < s.length && c < s.channels) held[i][threadIdx.x] = a[at] + skip[c] * b[at];
        }
        __syncthreads();
        for (int i = threadIdx.y; i < tile; i += tileRows) {
            const auto t = t0 + i, c = c0 + threadIdx.x;
            if (t >= s.length || c >= s.channels) continue;
            const float x = held[threadIdx.x][i];
            Out& to = rows[(text * s.length + t) * s.channels + c];
            if constexpr (sizeof(Out) == 2)
                to = narrow(x);
            else
                to = x;
        }
        __syncthreads();
    }
}

__device__ float2 timesConjugate(float2 a, float2 b) { return { a.x * b.x + a.y * b.y, a.y * b.x - a.x * b.y }; }

__global__ void gradients(
    std::int64_t batch, std::int64_t each, float2* g, const float2* x, const float2* kernel, float2* dkernel)
{
    const auto i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= each) return;
    const float2 k = kernel[i];
    float2 sum {};
    for (std::int64_t b = 0; b < batch; ++b) {
        const float2 own = g[b * each + i], d = timesConjugate(own, x[b * each + i]);
        sum.x += d.x;
        sum.y += d.y;
        g[b * each + i] = timesConjugate(own, k);
    }
    dkernel[i] = sum;
}

/// A state of dss: lambda = exp(exponent), and the factor of its input.
struct SharedState {
    Z exponent, scale;
    __device__ SharedState(const SharedPowers& p, int n)
        : exponent { -exp(double(p.a[n])), exp(double(p.b[n])) }
        , scale { 1, 0 }
    {
        if (!p.held) return;
        const Z lambda = exponential(exponent);
        scale = Z { lambda.re - 1, lambda.im } * inverse(exponent);
    }
    __device__ Z power(std::int64_t l) const { return exponential({ l * exponent.re, l * exponent.im }); }
};

__global__ void powers(SharedPowers p)
{
    const SharedState state(p, int(blockIdx.y));
    const auto l = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
    if (l >= p.length) return;
    const Z value = state.scale * state.power(l);
    const auto at = std::int64_t(blockIdx.y) * p.length + l;
    p.re[at] = float(value.re);
    p.im[at] = float(value.im);
}

/// d (scale lambda^l) = lambda^l (d scale + l scale) d exponent, d scale = (lambda - scale) / exponent.
__global__ void powersBackward(SharedPowers p)
{
    __shared__ double sums[2][tile];
    const int n = int(blockIdx.x), lane = threadIdx.x % warp, w = threadIdx.x / warp;
    const SharedState state(p, n);
    Z own {};
    if (p.held) {
        const Z lambda = exponential(state.exponent);
        own = Z { lambda.re - state.scale.re, lambda.im - state.scale.im } * inverse(state.exponent);
    }
    double re = 0, im = 0;
    for (std::int64_t l = threadIdx.x; l < p.length; l += blockDim.x) {
        const Z slope = state.power(l) * Z { own.re + l * state.scale.re, own.im + l * state.scale.im };
        const double dre = p.dre[n * p.length + l], dim = p.dim[n * p.length + l];
        re += slope.re * dre + slope.im * dim;
        im += slope.re * dim - slope.im * dre;
    }
    for (int d = warp / 2; d > 0; d /= 2) {
        re += __shfl_xor_sync(0xffffffffu, re, d);
        im += __shfl_xor_sync(0xffffffffu, im, d);
    }
    if (lane == 0) sums[0][w] = re, sums[1][w] = im;
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (unsigned i = 1; i < blockDim.x / warp; ++i) re += sums[0][i], im += sums[1][i];
    p.da[n] = float(re * state.exponent.re);
    p.db[n] = float(im * state.exponent.im);
}

dim3 tiles(const Signal& s, std::int64_t columns)
{
    return { blocksFor(columns, tile), blocksFor(s.channels, tile), unsigned(std::min<std::int64_t>(s.batch, 65535)) };
}

constexpr unsigned threads = 256;

} // namespace

void signalOfInput(const Signal& s, const void* projected, std::int64_t expand, const float* inverse, const float* gain,
    float* signal, Stream stream)
{
    layOut<true><<<tiles(s, s.size), dim3(tile, tileRows), 0, on(stream)>>>(
        s, static_cast<const bf16*>(projected), expand + s.channels, expand, inverse, gain, signal);
    checkLaunch("signal of the input");
}
void signalOfRows(const Signal& s, const void* rows, float* signal, Stream stream)
{
    layOut<false><<<tiles(s, s.size), dim3(tile, tileRows), 0, on(stream)>>>(
        s, static_cast<const bf16*>(rows), s.channels, 0, nullptr, nullptr, signal);
    checkLaunch("signal of rows");
}
void rowsOfSignal(
    const Signal& s, const float* a, const float* skip, const float* b, void* rows, bool wide, Stream stream)
{
    const auto grid = tiles(s, s.length);
    const dim3 block(tile, tileRows);
    if (wide)
        gather<<<grid, block, 0, on(stream)>>>(s, a, skip, b, static_cast<float*>(rows));
    else
        gather<<<grid, block, 0, on(stream)>>>(s, a, skip, b, static_cast<bf16*>(rows));
    checkLaunch("rows of a signal");
}
void convolutionBackward(
    std::int64_t batch, std::int64_t each, void* g, const void* x, const void* kernel, void* dkernel, Stream stream)
{
    gradients<<<blocksFor(each, threads), threads, 0, on(stream)>>>(batch, each, static_cast<float2*>(g),
        static_cast<const float2*>(x), static_cast<const float2*>(kernel), static_cast<float2*>(dkernel));
    checkLaunch("convolution, backward");
}
void sharedPowers(const SharedPowers& p, Stream stream)
{
    powers<<<dim3(blocksFor(p.length, threads), unsigned(p.states)), threads, 0, on(stream)>>>(p);
    checkLaunch("powers");
}
void sharedPowersBackward(const SharedPowers& p, Stream stream)
{
    powersBackward<<<unsigned(p.states), threads, 0, on(stream)>>>(p);
    checkLaunch("powers, backward");
}

} // namespace pha::kernels
