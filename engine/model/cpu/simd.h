// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// Only for the files of this folder, which are compiled once for each level of instructions. Templates of the standard
// library are left out of them: the linker would share one level's copy with the rest of the program.
#include <cstdint>

/// Eight numbers at a time in the compiler's own vector type.
namespace pha::cpu::PHA_CPU_LEVEL {

#define PHA_INLINE inline __attribute__((always_inline))

using V = float __attribute__((vector_size(32)));
using VInt = std::int32_t __attribute__((vector_size(32)));
using VMemory = float __attribute__((vector_size(32), aligned(4), may_alias));
inline constexpr std::int64_t lanes = 8;

PHA_INLINE V load(const float* p) { return *reinterpret_cast<const VMemory*>(p); }
PHA_INLINE void store(float* p, V x) { *reinterpret_cast<VMemory*>(p) = x; }
PHA_INLINE V all(float x) { return V { x, x, x, x, x, x, x, x }; }
PHA_INLINE V larger(V a, V b) { return a > b ? a : b; }
PHA_INLINE float sum(V x) { return ((x[0] + x[4]) + (x[1] + x[5])) + ((x[2] + x[6]) + (x[3] + x[7])); }
PHA_INLINE float largest(V x)
{
    float m = x[0];
    for (int i = 1; i < 8; ++i) m = x[i] > m ? x[i] : m;
    return m;
}

PHA_INLINE std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
PHA_INLINE std::int64_t wholeLanes(std::int64_t n) { return (n + lanes - 1) / lanes * lanes; }

/// exp with a relative error below 2e-7 for |x| <= 87, beyond which it stays at the limit's value.
PHA_INLINE V exponential(V x)
{
    x = x < all(-87.F) ? all(-87.F) : x;
    x = x > all(87.F) ? all(87.F) : x;
    constexpr float magic = 12582912.F; // adding it rounds to a whole number
    const V whole = (x * 1.44269504F + magic) - magic;
    const V r = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;
    V p = r * 1.9875691500e-4F + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * r * r + r + 1.F;
    const VInt bits = (__builtin_convertvector(whole, VInt) + 127) << 23;
    return p * (V)bits; // the same bits
}

PHA_INLINE V sigmoid(V x) { return 1.F / (1.F + exponential(-x)); }

/// The normal distribution: its integral up to x with an error below 2e-7 (Abramowitz and Stegun 7.1.26), and x times
/// its density.
struct Normal {
    V below, densityTimesX;
};
PHA_INLINE Normal normal(V x)
{
    const V size = x < all(0.F) ? -x : x;
    const V t = 1.F / (1.F + (0.3275911F * 0.70710678F) * size);
    V p = 1.061405429F * t - 1.453152027F;
    p = p * t + 1.421413741F;
    p = p * t - 0.284496736F;
    p = p * t + 0.254829592F;
    const V bell = exponential(-0.5F * x * x);
    const V above = 0.5F * p * t * bell; // beyond |x|
    return { x < all(0.F) ? above : 1.F - above, 0.39894228F * x * bell };
}

/// Calls f(at, count) over [0, n) with vectors of whole lanes and at most one shorter piece at the end.
template <class Whole, class Rest> PHA_INLINE void overLanes(std::int64_t n, Whole&& whole, Rest&& rest)
{
    std::int64_t i = 0;
    for (; i + lanes <= n; i += lanes) whole(i);
    if (i < n) rest(i, n - i);
}

/// Part of a vector: `count` numbers, zeros behind them.
PHA_INLINE V loadSome(const float* p, std::int64_t count)
{
    V x = all(0);
    for (int i = 0; i < int(count); ++i) x[i] = p[i];
    return x;
}
PHA_INLINE void storeSome(float* p, V x, std::int64_t count)
{
    for (int i = 0; i < int(count); ++i) p[i] = x[i];
}

/// The last logits of a row, -inf behind them.
PHA_INLINE V loadLast(const float* p, std::int64_t count)
{
    V x = all(-__builtin_inff());
    for (int i = 0; i < int(count); ++i) x[i] = p[i];
    return x;
}
/// The largest of a row of logits; -inf if there is none but NaN.
PHA_INLINE float highestOf(const float* z, std::int64_t count)
{
    V top = all(-__builtin_inff()); // larger() takes its second argument where the first is NaN
    overLanes(
        count, [&](std::int64_t i) { top = larger(load(z + i), top); },
        [&](std::int64_t i, std::int64_t rest) { top = larger(loadLast(z + i, rest), top); });
    return largest(top);
}

} // namespace pha::cpu::PHA_CPU_LEVEL
