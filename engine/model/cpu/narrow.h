// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cpu/simd.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

/// Numbers kept as bf16: the upper half of fp32.
namespace pha::cpu::PHA_CPU_LEVEL {

struct Bf16 {
    std::uint16_t bits;
};
using VUnsigned = std::uint32_t __attribute__((vector_size(32)));
using VHalf = std::uint16_t __attribute__((vector_size(16)));
using VHalfMemory = std::uint16_t __attribute__((vector_size(16), aligned(2), may_alias));

PHA_INLINE V loadWide(const float* p) { return load(p); }
PHA_INLINE V loadWide(const Bf16* p)
{
#ifdef __AVX2__ // one instruction, of which compilers make four
    return (V)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16);
#else
    const VHalf x = *reinterpret_cast<const VHalfMemory*>(p);
    return (V)(__builtin_convertvector(x, VUnsigned) << 16);
#endif
}
PHA_INLINE float widen(float x) { return x; }
PHA_INLINE float widen(Bf16 x)
{
    const std::uint32_t bits = std::uint32_t(x.bits) << 16;
    float y;
    __builtin_memcpy(&y, &bits, sizeof y);
    return y;
}
PHA_INLINE void assign(float& to, float x) { to = x; }
PHA_INLINE void assign(Bf16& to, float x) ///< to the nearest, ties to even
{
    std::uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    to.bits = std::uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/// Entry i is the sum of a[i].
PHA_INLINE V sums(const V (&a)[8])
{
#ifdef __clang__
#define PHA_SHUFFLE(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define PHA_SHUFFLE(x, y, ...) __builtin_shuffle(x, y, VInt { __VA_ARGS__ })
#endif
    V b[4], c[2];
    for (std::int64_t i = 0; i < 4; ++i)
        b[i] = PHA_SHUFFLE(a[2 * i], a[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13)
            + PHA_SHUFFLE(a[2 * i], a[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    for (std::int64_t i = 0; i < 2; ++i)
        c[i] = PHA_SHUFFLE(b[2 * i], b[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13)
            + PHA_SHUFFLE(b[2 * i], b[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
    return PHA_SHUFFLE(c[0], c[1], 0, 1, 2, 3, 8, 9, 10, 11) + PHA_SHUFFLE(c[0], c[1], 4, 5, 6, 7, 12, 13, 14, 15);
#undef PHA_SHUFFLE
}

} // namespace pha::cpu::PHA_CPU_LEVEL
