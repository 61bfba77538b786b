// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/cuda/common.cuh"

namespace pha::kernels {

namespace {

constexpr int threads = 512, together = 8;

__global__ void __launch_bounds__(threads) readAll(const uint4* p, std::int64_t count, unsigned* out)
{
    unsigned seen = 0;
    const auto stride = std::int64_t(gridDim.x) * threads;
    for (auto i = std::int64_t(blockIdx.x) * threads + threadIdx.x; i < count; i += stride * together) {
        uint4 x[together] = {};
#pragma unroll
        for (int n = 0; n < together; ++n)
            if (i + n * stride < count) x[n] = __ldcs(p + i + n * stride);
#pragma unroll
        for (int n = 0; n < together; ++n) seen ^= x[n].x ^ x[n].y ^ x[n].z ^ x[n].w;
    }
    if (seen == 0x9e3779b9u) *out = seen; // practically never, but the compiler cannot know
}

} // namespace

void readMemory(const void* from, std::int64_t bytes, void* word, Stream stream)
{
    readAll<<<unsigned(processors() * 4), threads, 0, on(stream)>>>(
        static_cast<const uint4*>(from), bytes / std::int64_t(sizeof(uint4)), static_cast<unsigned*>(word));
    checkLaunch("read memory");
}

} // namespace pha::kernels
