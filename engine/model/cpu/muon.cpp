// SPDX-License-Identifier: GPL-3.0-or-later
// Muon's update of one matrix. Five Newton-Schulz steps multiply X by polynomials of the small square matrix A = X X^T;
// these commute and are symmetric, so that the steps are taken on A alone, half of each product is enough, and X is
// multiplied once at the end.
#include "engine/model/cpu/level.h"
#include "engine/model/cpu/product.h"

namespace pha::cpu::PHA_CPU_LEVEL {

namespace {

/// Added to rows, so that those of a power of two do not share a few lines of the cache.
constexpr std::int64_t apart = 2 * lanes;

/// A product (n,n) that is known to be symmetric: its lower half, mirrored. n is a multiple of 8, rows of c are `row`
/// apart.
void symmetric(std::int64_t n, std::int64_t k, const Scattered& a, const Rows& b, float* c, std::int64_t row)
{
    for (std::int64_t j = 0; j < n; j += 2 * lanes)
        product(n - j, least(2 * lanes, n - j), k, { a.p + j * a.row, a.row, a.column }, { b.p + j, b.row },
            c + j * row + j, row);
    for (std::int64_t i = 0; i < n; i += lanes) // in squares, which stay in the cache
        for (std::int64_t j = i; j < n; j += lanes)
            for (auto y = i; y < i + lanes; ++y)
                for (auto x = j; x < j + lanes; ++x)
                    if (x > y) c[y * row + x] = c[x * row + y];
}

/// q (n,n) = what five steps multiply a matrix by whose square is a. Destroys a; two matrices of room.
void steps(std::int64_t n, std::int64_t row, float* a, float* q, float* room)
{
    float *p = room, *x = p + n * row;
    const auto times = [&](const float* left, const float* right, float* to) {
        symmetric(n, n, { left, row, 1 }, { right, row }, to, row);
    };
    const auto each = [&](auto&& f) {
        for (std::int64_t i = 0; i < n; ++i)
            for (std::int64_t j = 0; j < n; j += lanes) f(i * row + j);
    };
    for (int step = 0; step < 5; ++step) {
        times(a, a, p);
        each([&](std::int64_t i) { store(p + i, 2.0315F * load(p + i) - 4.7750F * load(a + i)); });
        for (std::int64_t i = 0; i < n; ++i) p[i * row + i] += 3.4445F;
        if (step == 0) {
            each([&](std::int64_t i) { store(q + i, load(p + i)); });
        } else {
            times(p, q, x);
            each([&](std::int64_t i) { store(q + i, load(x + i)); });
        }
        if (step == 4) return;
        times(p, a, x);
        times(p, x, a);
    }
}

} // namespace

void muonUpdate(const Muon& p, float* scratch)
{
    const bool wide = p.columns > p.rows;
    const auto small = wide ? p.rows : p.columns, large = wide ? p.columns : p.rows;
    const auto n = wholeLanes(small), row = n + apart;
    float *x = scratch, *a = x + large * row, *q = a + n * row, *room = q + n * row, *y = room + 2 * n * row;
    double squares = 0;
    for (std::int64_t r = 0; r < p.rows; ++r) {
        float part = 0;
        for (std::int64_t c = 0; c < p.columns; ++c) {
            const auto i = r * p.columns + c;
            const float g = p.gradient[i] * p.scale, m = p.moment[i] + (1 - p.momentum) * (g - p.moment[i]);
            p.moment[i] = m;
            const float u = g + p.momentum * (m - g); // Nesterov
            (wide ? x[c * row + r] : x[r * row + c]) = u;
            part += u * u;
        }
        squares += double(part);
    }
    const float inverse = float(1 / (__builtin_sqrt(squares) + 1e-7));
    for (std::int64_t i = 0; i < large; ++i) {
        for (std::int64_t j = 0; j < small; ++j) x[i * row + j] *= inverse;
        for (auto j = small; j < n; ++j) x[i * row + j] = 0;
    }
    symmetric(n, large, { x, 1, row }, { x, row }, a, row);
    steps(n, row, a, q, room);
    product(large, n, n, { x, row, 1 }, { q, row }, y, row);
    for (std::int64_t r = 0; r < p.rows; ++r)
        for (std::int64_t c = 0; c < p.columns; ++c) {
            float& w = p.weight[r * p.columns + c];
            w = w * p.keep - p.rate * (wide ? y[c * row + r] : y[r * row + c]);
        }
}

} // namespace pha::cpu::PHA_CPU_LEVEL
