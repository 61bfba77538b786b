// SPDX-License-Identifier: GPL-3.0-or-later
// The residual stream: what the parts of a layer wrote is mixed, added and normed in one pass over memory.
#include "engine/model/cpu/level.h"
#include "engine/model/cpu/simd.h"

namespace pha::cpu::PHA_CPU_LEVEL {

namespace {

/// f(first, count) over a row: whole vectors, then what is left.
template <class F> PHA_INLINE void overRow(std::int64_t width, F&& f)
{
    std::int64_t i = 0;
    for (; i + lanes <= width; i += lanes)
        f([&](const float* p) { return load(p + i); }, [&](float* p, V x) { store(p + i, x); });
    if (i < width)
        f([&](const float* p) { return loadSome(p + i, width - i); },
            [&](float* p, V x) { storeSome(p + i, x, width - i); });
}

PHA_INLINE float inverseRoot(float x) { return 1 / __builtin_sqrtf(x); }

template <int K> PHA_INLINE void forwardRow(const ResidualNorm& p, std::int64_t row)
{
    const auto at = row * p.width;
    const float n = float(p.width);
    float scale[K + 1];
    for (int k = 0; k < K; ++k) {
        scale[k] = p.beta * (p.weights ? p.weights[p.tokenWeights ? row * K + k : k] : 1.F);
        if (!p.normed) continue;
        V squares = all(0);
        overRow(p.width, [&](auto get, auto) {
            const V z = get(p.z[k] + at);
            squares += z * z;
        });
        const float inverse = inverseRoot(sum(squares) / n + p.branchEps);
        p.branchInverse[row * K + k] = inverse;
        scale[k] *= inverse;
    }
    V squares = all(0);
    overRow(p.width, [&](auto get, auto set) {
        V x = get(p.x + at);
        if (K > 0) {
            x *= p.alpha;
            for (int k = 0; k < K; ++k) x += scale[k] * get(p.z[k] + at);
            set(p.x1 + at, x);
        }
        squares += x * x;
    });
    if (!p.gain) return;
    const float inverse = inverseRoot(sum(squares) / n + p.eps);
    p.inverse[row] = inverse;
    const float* x = K > 0 ? p.x1 : p.x;
    overRow(p.width, [&](auto get, auto set) { set(p.y + at, get(x + at) * inverse * get(p.gain)); });
}

template <int K> PHA_INLINE void backwardRow(const ResidualNorm& p, std::int64_t row, float* dgain)
{
    const auto at = row * p.width;
    const float n = float(p.width), alpha = K > 0 ? p.alpha : 1.F;
    const bool norm = p.dy;
    const float inverse = norm ? p.inverse[row] : 0.F;
    float mean = 0;
    if (norm) {
        V dot = all(0);
        overRow(p.width, [&](auto get, auto set) {
            const V dy = get(p.dy + at), x = get(p.x1 + at) * inverse;
            dot += dy * get(p.gain) * x;
            set(dgain, get(dgain) + dy * x);
        });
        mean = sum(dot) / n;
    }
    // dx holds the gradient of x1 until the branches have theirs.
    V dots[K + 1];
    for (int k = 0; k < K; ++k) dots[k] = all(0);
    overRow(p.width, [&](auto get, auto set) {
        V g = p.dx1 ? get(p.dx1 + at) : all(0);
        if (norm) g += inverse * (get(p.dy + at) * get(p.gain) - get(p.x1 + at) * (inverse * mean));
        if (p.normed || p.dweights)
            for (int k = 0; k < K; ++k) dots[k] += g * get(p.z[k] + at);
        set(p.dx + at, g);
    });
    float scale[K + 1], back[K + 1];
    for (int k = 0; k < K; ++k) {
        const float weight = p.beta * (p.weights ? p.weights[p.tokenWeights ? row * K + k : k] : 1.F);
        const float own = p.normed ? p.branchInverse[row * K + k] : 1.F, dot = sum(dots[k]);
        scale[k] = weight * own;
        back[k] = p.normed ? weight * own * own * own * dot / n : 0.F;
        if (p.dweights) p.dweights[row * K + k] = p.beta * own * dot;
    }
    overRow(p.width, [&](auto get, auto set) {
        const V g = get(p.dx + at);
        for (int k = 0; k < K; ++k)
            set(p.dz[k] + at, p.normed ? scale[k] * g - back[k] * get(p.z[k] + at) : scale[k] * g);
        if (alpha != 1) set(p.dx + at, alpha * g);
    });
}

template <int K> void forwardRows(const ResidualNorm& p, std::int64_t from, std::int64_t to)
{
    for (auto row = from; row < to; ++row) forwardRow<K>(p, row);
}

template <int K> void backwardParts(const ResidualNorm& p, std::int64_t from, std::int64_t to)
{
    const auto each = (p.rows + normParts - 1) / normParts;
    for (auto part = from; part < to; ++part) {
        float* dgain = p.dgain ? p.dgain + part * p.width : nullptr;
        for (std::int64_t i = 0; dgain && i < p.width; ++i) dgain[i] = 0;
        for (auto row = part * each; row < least(p.rows, (part + 1) * each); ++row) backwardRow<K>(p, row, dgain);
    }
}

} // namespace

void residualNormForward(const ResidualNorm& p, std::int64_t from, std::int64_t to)
{
    switch (p.branches) {
    case 0:
        return forwardRows<0>(p, from, to);
    case 1:
        return forwardRows<1>(p, from, to);
    case 2:
        return forwardRows<2>(p, from, to);
    default:
        return forwardRows<3>(p, from, to);
    }
}

void residualNormBackward(const ResidualNorm& p, std::int64_t from, std::int64_t to)
{
    switch (p.branches) {
    case 0:
        return backwardParts<0>(p, from, to);
    case 1:
        return backwardParts<1>(p, from, to);
    case 2:
        return backwardParts<2>(p, from, to);
    default:
        return backwardParts<3>(p, from, to);
    }
}

float lossRow(float* z, std::int64_t target, bool gradient, bool* correct, std::int64_t width)
{
    const float own = z[target], top = highestOf(z, width);
    if (correct) { // of several highest logits the first is the answer, as with argmax
        *correct = own >= top;
        for (std::int64_t i = 0; *correct && i < target; ++i) *correct = z[i] < top;
    }
    const auto whole = width / lanes * lanes;
    V sums = all(0);
    for (std::int64_t i = 0; i < whole; i += lanes) {
        const V e = exponential(load(z + i) - top);
        sums += e;
        if (gradient) store(z + i, e);
    }
    float total = sum(sums);
    if (whole < width) {
        const V e = exponential(loadSome(z + whole, width - whole) - top);
        for (auto i = whole; i < width; ++i) total += e[i - whole];
        if (gradient) storeSome(z + whole, e, width - whole);
    }
    if (gradient) {
        const float scale = 1 / total;
        overRow(width, [&](auto get, auto set) { set(z, get(z) * scale); });
        z[target] -= 1;
    }
    return top + __builtin_logf(total) - own;
}

} // namespace pha::cpu::PHA_CPU_LEVEL
