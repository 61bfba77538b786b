// SPDX-License-Identifier: GPL-3.0-or-later
// What stands between two matrix products of a network or of the GSS branch.
#include "engine/model/cpu/level.h"
#include "engine/model/cpu/simd.h"

namespace pha::cpu::PHA_CPU_LEVEL {

namespace {

struct Slope {
    V value, slope;
};

PHA_INLINE Slope gelu(V x)
{
    const auto n = normal(x);
    return { x * n.below, n.below + n.densityTimesX };
}

PHA_INLINE Slope geluTanh(V x)
{
    // 0.5 (1 + tanh z) = sigmoid(2 z)
    constexpr float root = 0.7978845608F, cubic = 0.044715F;
    const V s = sigmoid(2.F * root * (x + cubic * x * x * x));
    return { x * s, s + 2.F * root * x * s * (1.F - s) * (1.F + 3.F * cubic * x * x) };
}

PHA_INLINE Slope relu2(V x)
{
    const V r = larger(x, all(0));
    return { r * r, 2.F * r };
}

PHA_INLINE Slope silu(V x)
{
    const V s = sigmoid(x);
    return { x * s, s * (1.F + x * (1.F - s)) };
}

template <class F> void forwardOf(const float* a, const float* b, float* y, std::int64_t count, F&& f)
{
    overLanes(
        count, [&](std::int64_t i) { store(y + i, b ? f(load(a + i)).value * load(b + i) : f(load(a + i)).value); },
        [&](std::int64_t i, std::int64_t n) {
            const V v = f(loadSome(a + i, n)).value;
            storeSome(y + i, b ? v * loadSome(b + i, n) : v, n);
        });
}

template <class F>
void backwardOf(
    const float* dy, const float* a, const float* b, float* da, float* db, float* y, std::int64_t count, F&& f)
{
    const auto one = [&](auto get, auto set) {
        const auto s = f(get(a));
        const V d = get(dy);
        if (b) {
            const V factor = get(b);
            set(da, d * factor * s.slope);
            set(db, d * s.value);
            set(y, s.value * factor);
        } else {
            set(da, d * s.slope);
            set(y, s.value);
        }
    };
    overLanes(
        count,
        [&](std::int64_t i) {
            one([&](const float* p) { return load(p + i); }, [&](float* p, V x) { store(p + i, x); });
        },
        [&](std::int64_t i, std::int64_t n) {
            one([&](const float* p) { return loadSome(p + i, n); }, [&](float* p, V x) { storeSome(p + i, x, n); });
        });
}

} // namespace

void activationForward(Activation kind, const float* a, const float* b, float* y, std::int64_t count)
{
    switch (kind) {
    case Activation::SwiGlu:
        return forwardOf(a, b, y, count, [](V x) { return silu(x); });
    case Activation::Gelu:
        return forwardOf(a, nullptr, y, count, [](V x) { return gelu(x); });
    case Activation::GeluTanh:
        return forwardOf(a, nullptr, y, count, [](V x) { return geluTanh(x); });
    case Activation::Relu2:
        return forwardOf(a, nullptr, y, count, [](V x) { return relu2(x); });
    }
}

void activationBackward(Activation kind, const float* dy, const float* a, const float* b, float* da, float* db,
    float* y, std::int64_t count)
{
    switch (kind) {
    case Activation::SwiGlu:
        return backwardOf(dy, a, b, da, db, y, count, [](V x) { return silu(x); });
    case Activation::Gelu:
        return backwardOf(dy, a, nullptr, da, db, y, count, [](V x) { return gelu(x); });
    case Activation::GeluTanh:
        return backwardOf(dy, a, nullptr, da, db, y, count, [](V x) { return geluTanh(x); });
    case Activation::Relu2:
        return backwardOf(dy, a, nullptr, da, db, y, count, [](V x) { return relu2(x); });
    }
}

void gateForward(const float* a, const float* e, float* y, std::int64_t count)
{
    forwardOf(a, e, y, count, [](V x) { return gelu(x); });
}

void gateBackward(const float* dy, const float* a, const float* e, float* da, float* de, float* y, std::int64_t count)
{
    backwardOf(dy, a, e, da, de, y, count, [](V x) { return gelu(x); });
}

void geluNormForward(
    const float* a, const float* gain, float* x, float* inverse, std::int64_t rows, std::int64_t width, float eps)
{
    for (std::int64_t r = 0; r < rows; ++r, a += width, x += width) {
        V squares = all(0);
        const auto one = [&](V in) {
            const V value = gelu(in).value;
            squares += value * value;
            return value;
        };
        overLanes(
            width, [&](std::int64_t i) { store(x + i, one(load(a + i))); },
            [&](std::int64_t i, std::int64_t n) { storeSome(x + i, one(loadSome(a + i, n)), n); });
        const float scale = 1 / __builtin_sqrtf(sum(squares) / float(width) + eps);
        inverse[r] = scale;
        overLanes(
            width, [&](std::int64_t i) { store(x + i, load(x + i) * scale * load(gain + i)); },
            [&](std::int64_t i, std::int64_t n) {
                storeSome(x + i, loadSome(x + i, n) * scale * loadSome(gain + i, n), n);
            });
    }
}

void geluNormBackward(const float* dx, const float* a, const float* gain, const float* inverse, float* da, float* dgain,
    std::int64_t rows, std::int64_t width)
{
    for (std::int64_t r = 0; r < rows; ++r, dx += width, a += width, da += width) {
        const float scale = inverse[r];
        V dot = all(0);
        const auto first = [&](V d, V in, V g, V sums) {
            const V normed = gelu(in).value * scale;
            dot += d * g * normed;
            return sums + d * normed;
        };
        overLanes(
            width,
            [&](std::int64_t i) {
                store(dgain + i, first(load(dx + i), load(a + i), load(gain + i), load(dgain + i)));
            },
            [&](std::int64_t i, std::int64_t n) {
                storeSome(dgain + i,
                    first(loadSome(dx + i, n), loadSome(a + i, n), loadSome(gain + i, n), loadSome(dgain + i, n)), n);
            });
        const float mean = sum(dot) / float(width);
        const auto second = [&](V d, V in, V g) {
            const auto s = gelu(in);
            return scale * (d * g - s.value * (scale * mean)) * s.slope;
        };
        overLanes(
            width, [&](std::int64_t i) { store(da + i, second(load(dx + i), load(a + i), load(gain + i))); },
            [&](std::int64_t i, std::int64_t n) {
                storeSome(da + i, second(loadSome(dx + i, n), loadSome(a + i, n), loadSome(gain + i, n)), n);
            });
    }
}

void fewRows(const float* x, const float* w, float* y, std::int64_t rows, std::int64_t in, std::int64_t yRow,
    std::int64_t from, std::int64_t to)
{
    const auto whole = in / lanes * lanes;
    const auto finish = [&](V sums, std::int64_t r, std::int64_t o) {
        float total = sum(sums);
        for (auto i = whole; i < in; ++i) total += x[r * in + i] * w[o * in + i];
        y[r * yRow + o] = total;
    };
    auto o = from;
    for (; o + 4 <= to; o += 4)
        for (std::int64_t r = 0; r < rows; ++r) {
            V sums[4] { all(0), all(0), all(0), all(0) };
            for (std::int64_t i = 0; i < whole; i += lanes) {
                const V own = load(x + r * in + i);
                for (int j = 0; j < 4; ++j) sums[j] += own * load(w + (o + j) * in + i);
            }
            for (int j = 0; j < 4; ++j) finish(sums[j], r, o + j);
        }
    for (; o < to; ++o)
        for (std::int64_t r = 0; r < rows; ++r) {
            V sums = all(0);
            for (std::int64_t i = 0; i < whole; i += lanes) sums += load(x + r * in + i) * load(w + o * in + i);
            finish(sums, r, o);
        }
}

} // namespace pha::cpu::PHA_CPU_LEVEL
