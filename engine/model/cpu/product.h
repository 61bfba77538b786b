// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cpu/simd.h"

/// Matrix products of blocks that fit a core's caches, for which a library spends more on packing than on products.
namespace pha::cpu::PHA_CPU_LEVEL {

/// A matrix whose numbers are used one at a time: entry (i,k) = p[i row + k column].
struct Scattered {
    const float* p;
    std::int64_t row, column;
};
/// A matrix whose rows are contiguous.
struct Rows {
    const float* p;
    std::int64_t row;
};

/// R rows and 8 C columns of the result in registers.
template <int R, int C>
PHA_INLINE void tile(
    const Scattered& a, const float* b, std::int64_t bRow, float* c, std::int64_t cRow, std::int64_t k, bool add)
{
    V sums[R][C];
    for (int r = 0; r < R; ++r)
        for (int j = 0; j < C; ++j) sums[r][j] = add ? load(c + r * cRow + j * lanes) : all(0);
    const float* from = a.p;
    for (std::int64_t i = 0; i < k; ++i, from += a.column, b += bRow) {
        V right[C];
        for (int j = 0; j < C; ++j) right[j] = load(b + j * lanes);
        for (int r = 0; r < R; ++r) {
            const V left = all(from[r * a.row]);
            for (int j = 0; j < C; ++j) sums[r][j] += left * right[j];
        }
    }
    for (int r = 0; r < R; ++r)
        for (int j = 0; j < C; ++j) store(c + r * cRow + j * lanes, sums[r][j]);
}

template <int C>
PHA_INLINE void columns(std::int64_t m, const Scattered& a, const float* b, std::int64_t bRow, float* c,
    std::int64_t cRow, std::int64_t k, bool add)
{
    std::int64_t i = 0;
    const auto at = [&] { return Scattered { a.p + i * a.row, a.row, a.column }; };
    for (; i + 6 <= m; i += 6) tile<6, C>(at(), b, bRow, c + i * cRow, cRow, k, add);
    float* rest = c + i * cRow;
    switch (m - i) {
    case 5:
        return tile<5, C>(at(), b, bRow, rest, cRow, k, add);
    case 4:
        return tile<4, C>(at(), b, bRow, rest, cRow, k, add);
    case 3:
        return tile<3, C>(at(), b, bRow, rest, cRow, k, add);
    case 2:
        return tile<2, C>(at(), b, bRow, rest, cRow, k, add);
    case 1:
        return tile<1, C>(at(), b, bRow, rest, cRow, k, add);
    default:
        return;
    }
}

/// c (m,n) = a (m,k) b (k,n), or c + a b. n is a multiple of 8.
inline __attribute__((noinline)) void product(
    std::int64_t m, std::int64_t n, std::int64_t k, Scattered a, Rows b, float* c, std::int64_t cRow, bool add = false)
{
    std::int64_t j = 0;
    for (; j + 2 * lanes <= n; j += 2 * lanes) columns<2>(m, a, b.p + j, b.row, c + j, cRow, k, add);
    if (j < n) columns<1>(m, a, b.p + j, b.row, c + j, cRow, k, add);
}

} // namespace pha::cpu::PHA_CPU_LEVEL
