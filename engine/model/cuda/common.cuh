// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/kernels.h"

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

/// What the kernels share: vectors of bf16, warp sums, a counter-based random generator, launch checks.
namespace pha::kernels {

using bf16 = __nv_bfloat16;

constexpr int warp = 32;

template <int N> struct alignas(N * sizeof(bf16)) Pack {
    bf16 v[N];
};
template <int N> __device__ Pack<N> loadPack(const void* p, std::int64_t pack)
{
    return static_cast<const Pack<N>*>(p)[pack];
}
template <int N> __device__ void storePack(void* p, std::int64_t pack, const Pack<N>& x)
{
    static_cast<Pack<N>*>(p)[pack] = x;
}
__device__ inline float wide(bf16 x) { return __bfloat162float(x); }
__device__ inline bf16 narrow(float x) { return __float2bfloat16_rn(x); }

/// Sum over the groups of `Width` neighbouring lanes.
template <int Width = warp> __device__ float sumLanes(float x)
{
#pragma unroll
    for (int d = Width / 2; d > 0; d /= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
    return x;
}

/// erf form of GELU and its derivative. erf by Abramowitz and Stegun 7.1.26 (|error| < 1.5e-7), which shares its one
/// exponential with the derivative.
__device__ inline void geluBoth(float x, float& value, float& slope)
{
    const float z = fabsf(x) * 0.70710678f, t = __fdividef(1.0f, 1.0f + 0.3275911f * z), e = __expf(-0.5f * x * x);
    const float poly =
        t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    const float cdf = 0.5f + copysignf(0.5f - 0.5f * poly * e, x);
    value = x * cdf;
    slope = cdf + x * 0.39894228f * e;
}
__device__ inline float gelu(float x)
{
    float value, slope;
    geluBoth(x, value, slope);
    return value;
}
__device__ inline float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

/// Philox 4x32 with 7 rounds: four uniform numbers for a counter.
__device__ inline uint4 philox(std::uint64_t seed, std::uint64_t offset, std::uint64_t counter)
{
    uint4 c { unsigned(counter), unsigned(counter >> 32), unsigned(offset), unsigned(offset >> 32) };
    uint2 k { unsigned(seed), unsigned(seed >> 32) };
#pragma unroll
    for (int i = 0; i < 7; ++i) {
        const unsigned h0 = __umulhi(0xD2511F53u, c.x), l0 = 0xD2511F53u * c.x;
        const unsigned h1 = __umulhi(0xCD9E8D57u, c.z), l1 = 0xCD9E8D57u * c.z;
        c = { h1 ^ c.y ^ k.x, l1, h0 ^ c.w ^ k.y, l0 };
        k.x += 0x9E3779B9u;
        k.y += 0xBB67AE85u;
    }
    return c;
}

inline void checkLaunch(const char* what)
{
    if (const auto error = cudaGetLastError(); error != cudaSuccess)
        throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}
inline cudaStream_t on(Stream stream) { return static_cast<cudaStream_t>(stream); }

/// Of the current card; a process may train on one and write on another.
inline int attribute(cudaDeviceAttr which)
{
    int device = 0, value = 0;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&value, which, device);
    return value;
}
inline int processors() { return attribute(cudaDevAttrMultiProcessorCount); }
inline unsigned blocksFor(std::int64_t items, std::int64_t each) { return unsigned((items + each - 1) / each); }

} // namespace pha::kernels
