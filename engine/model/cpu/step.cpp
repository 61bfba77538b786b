// SPDX-License-Identifier: GPL-3.0-or-later
// One token of each text: products of a few columns, and what the state space and the residual stream do between them.
#include "engine/model/cpu/level.h"
#include "engine/model/cpu/narrow.h"
#include "engine/model/cpu/product.h"

namespace pha::cpu::PHA_CPU_LEVEL {

namespace {

constexpr std::int64_t wideRows = 6; // of a narrow matrix at a time, as product() takes them
constexpr std::int64_t ahead = 8192; // bytes to ask for early: short rows end before a processor sees where it goes

/// One column: rows [from, to) times x, four rows at a time.
template <class T>
PHA_INLINE void dots(const T* w, std::int64_t inner, const float* x, float* y, std::int64_t from, std::int64_t to)
{
    auto o = from;
    for (; o + 4 <= to; o += 4, y += 4) {
        const T* row = w + o * inner;
        V sums[4] { all(0), all(0), all(0), all(0) };
        for (std::int64_t i = 0; i < inner; i += lanes) {
            const V own = load(x + i);
            const auto* next = reinterpret_cast<const char*>(row + 4 * i) + ahead;
            __builtin_prefetch(next);
            if (sizeof(T) == 4) __builtin_prefetch(next + 64);
            for (int j = 0; j < 4; ++j) sums[j] += own * loadWide(row + j * inner + i);
        }
        for (int j = 0; j < 4; ++j) y[j] = sum(sums[j]);
    }
    for (; o < to; ++o, ++y) {
        V sums = all(0);
        for (std::int64_t i = 0; i < inner; i += lanes) sums += load(x + i) * loadWide(w + o * inner + i);
        *y = sum(sums);
    }
}

/// Rows [from, to) of a product to y (to - from, columns).
void multiply(
    const StepRows& p, const void* matrix, const float* x, std::int64_t from, std::int64_t to, float* y, float* scratch)
{
    const auto* wide = static_cast<const float*>(matrix);
    const auto* narrow = static_cast<const Bf16*>(matrix);
    if (p.columns == 1) {
        if (p.narrow)
            dots(narrow, p.inner, x, y, from, to);
        else
            dots(wide, p.inner, x, y, from, to);
    } else if (!p.narrow) {
        product(to - from, p.columns, p.inner, { wide + from * p.inner, p.inner, 1 }, { x, p.columns }, y, p.columns);
    } else {
        for (auto o = from; o < to; o += wideRows, y += wideRows * p.columns) {
            const auto count = least(wideRows, to - o);
            for (std::int64_t i = 0; i < count * p.inner; i += lanes)
                store(scratch + i, loadWide(narrow + o * p.inner + i));
            product(count, p.columns, p.inner, { scratch, p.inner, 1 }, { x, p.columns }, y, p.columns);
        }
    }
}

} // namespace

void stepRows(const StepRows& p, const float* x, float* out, std::int64_t from, std::int64_t to, float* scratch)
{
    const auto count = (to - from) * p.columns;
    float *one = scratch, *other = one + count, *rest = other + count;
    float* y = out + from * p.columns;
    if (p.second) {
        multiply(p, p.first, x, from, to, one, rest);
        multiply(p, p.second, x, from, to, other, rest);
        return activationForward(p.activation, one, other, y, count);
    }
    if (p.finish == StepFinish::Logits) {
        if (p.columns == 1) return multiply(p, p.first, x, from, to, y, rest);
        multiply(p, p.first, x, from, to, one, rest);
        for (std::int64_t b = 0; b < p.texts; ++b)
            for (auto o = from; o < to; ++o) out[b * p.outer + o] = one[(o - from) * p.columns + b];
        return;
    }
    multiply(p, p.first, x, from, to, y, rest);
    if (p.finish == StepFinish::Activate) activationForward(p.activation, y, nullptr, y, count);
    if (p.finish == StepFinish::Gate) gateForward(p.gate + from * p.columns, y, y, count);
}

void stepScan(const StepScan& p, std::int64_t task)
{
    const auto text = task / stepScanTasks(p), first = task % stepScanTasks(p) * stepChannels, P = p.states;
    const auto* in = p.in + text;
    float squares = 0;
    for (std::int64_t c = 0; c < p.channels; ++c) squares += in[c * p.columns] * in[c * p.columns];
    const float inverse = 1 / __builtin_sqrtf(squares / float(p.channels) + p.eps);
    for (auto c = first; c < least(first + stepChannels, p.channels); ++c) {
        const float u = in[c * p.columns] * inverse * p.gain[c];
        const auto at = c * P, lambda = p.sharedLambda ? 0 : at, state = (text * p.channels + c) * P;
        V total = all(0);
        const auto next = [&](V lr, V li, V cr, V ci, V& re, V& im) {
            const V real = lr * re - li * im + u;
            im = lr * im + li * re;
            re = real;
            total += cr * re - ci * im;
        };
        overLanes(
            P,
            [&](std::int64_t i) {
                V re = load(p.stateRe + state + i), im = load(p.stateIm + state + i);
                next(load(p.lambdaRe + lambda + i), load(p.lambdaIm + lambda + i), load(p.cRe + at + i),
                    load(p.cIm + at + i), re, im);
                store(p.stateRe + state + i, re), store(p.stateIm + state + i, im);
            },
            [&](std::int64_t i, std::int64_t n) {
                V re = loadSome(p.stateRe + state + i, n), im = loadSome(p.stateIm + state + i, n);
                next(loadSome(p.lambdaRe + lambda + i, n), loadSome(p.lambdaIm + lambda + i, n),
                    loadSome(p.cRe + at + i, n), loadSome(p.cIm + at + i, n), re, im);
                storeSome(p.stateRe + state + i, re, n), storeSome(p.stateIm + state + i, im, n);
            });
        p.out[c * p.columns + text] = sum(total) + p.skip[c] * u;
    }
}

void stepNorm(const StepNorm& p, std::int64_t task)
{
    // A vector is eight features of the one column, or one feature of eight columns.
    const bool one = p.columns == 1;
    const auto first = task * lanes, step = one ? lanes : p.columns, end = p.width * p.columns;
    const auto inverseRms = [&](V squares) {
        if (one) squares = all(sum(squares));
        for (int i = 0; i < lanes; ++i) squares[i] = 1 / __builtin_sqrtf(squares[i] / float(p.width) + p.eps);
        return squares;
    };
    V scale[3], squares = all(0);
    for (int k = 0; k < p.branches; ++k) {
        V own = all(0);
        for (auto i = first; p.normed && i < end; i += step) own += load(p.z[k] + i) * load(p.z[k] + i);
        scale[k] = (p.normed ? inverseRms(own) : all(1)) * (p.weights[k] * p.beta);
    }
    for (auto i = first; i < end; i += step) {
        V x = load(p.x + i) * p.alpha;
        for (int k = 0; k < p.branches; ++k) x += load(p.z[k] + i) * scale[k];
        squares += x * x;
        store(p.x + i, x);
    }
    const V inverse = inverseRms(squares);
    for (auto i = first; i < end; i += step)
        store(p.y + i, load(p.x + i) * inverse * (one ? load(p.gain + i) : all(p.gain[i / p.columns])));
}

} // namespace pha::cpu::PHA_CPU_LEVEL
