// SPDX-License-Identifier: GPL-3.0-or-later
// A diagonal state space as the recurrence that it is: eight channels at a time, a few states in registers.
#include "engine/model/cpu/level.h"
#include "engine/model/cpu/simd.h"

namespace pha::cpu::PHA_CPU_LEVEL {

namespace {

/// N states of eight channels over one span: y += Re(c x).
template <int N>
PHA_INLINE void forwardSpan(
    const Scan& p, std::int64_t channel, std::int64_t state, std::int64_t steps, const float* u, float* y, float* x)
{
    V re[N], im[N], lr[N], li[N], cr[N], ci[N];
    for (int n = 0; n < N; ++n) {
        const auto at = (state + n) * p.channels + channel;
        re[n] = load(x + (state + n) * 2 * lanes), im[n] = load(x + (state + n) * 2 * lanes + lanes);
        lr[n] = load(p.lambdaRe + at), li[n] = load(p.lambdaIm + at), cr[n] = load(p.cRe + at),
        ci[n] = load(p.cIm + at);
    }
    for (std::int64_t t = 0; t < steps; ++t) {
        const V in = load(u + t * p.channels);
        V out = load(y + t * p.channels);
        for (int n = 0; n < N; ++n) {
            const V next = lr[n] * re[n] + (in - li[n] * im[n]);
            im[n] = lr[n] * im[n] + li[n] * re[n];
            re[n] = next;
            out += cr[n] * re[n] - ci[n] * im[n];
        }
        store(y + t * p.channels, out);
    }
    for (int n = 0; n < N; ++n) {
        store(x + (state + n) * 2 * lanes, re[n]);
        store(x + (state + n) * 2 * lanes + lanes, im[n]);
    }
}

/// The gradients of N states over one span. `x` holds their values at its start, `gradient` those of the states behind
/// it, which become those at its start. `past` is room for the span's states.
template <int N>
PHA_INLINE void backwardSpan(const Scan& p, std::int64_t text, std::int64_t channel, std::int64_t state,
    std::int64_t steps, const float* u, const float* dy, float* du, const float* x, float* gradient, float* past)
{
    V re[N], im[N], lr[N], li[N];
    for (int n = 0; n < N; ++n) {
        const auto at = (state + n) * p.channels + channel;
        re[n] = load(x + (state + n) * 2 * lanes), im[n] = load(x + (state + n) * 2 * lanes + lanes);
        lr[n] = load(p.lambdaRe + at), li[n] = load(p.lambdaIm + at);
    }
    constexpr std::int64_t step = 2 * N * lanes;
    for (std::int64_t t = 0; t < steps; ++t) {
        const V in = load(u + t * p.channels);
        for (int n = 0; n < N; ++n) {
            store(past + t * step + 2 * n * lanes, re[n]);
            store(past + t * step + (2 * n + 1) * lanes, im[n]);
            const V next = lr[n] * re[n] + (in - li[n] * im[n]);
            im[n] = lr[n] * im[n] + li[n] * re[n];
            re[n] = next;
        }
    }
    for (int n = 0; n < N; ++n) {
        const auto at = (state + n) * p.channels + channel, sumAt = text * p.states * p.channels + at;
        const V cr = load(p.cRe + at), ci = load(p.cIm + at);
        float* g = gradient + (state + n) * 2 * lanes;
        V gr = load(g), gi = load(g + lanes);
        V dlr = load(p.dlambdaRe + sumAt), dli = load(p.dlambdaIm + sumAt);
        V dcr = load(p.dcRe + sumAt), dci = load(p.dcIm + sumAt);
        V xr = re[n], xi = im[n];
        for (auto t = steps; t-- > 0;) {
            const V d = load(dy + t * p.channels);
            const V next = cr * d + (lr[n] * gr + li[n] * gi);
            gi = (lr[n] * gi - li[n] * gr) - ci * d;
            gr = next;
            dcr += d * xr;
            dci -= d * xi;
            store(du + t * p.channels, load(du + t * p.channels) + gr);
            xr = load(past + t * step + 2 * n * lanes), xi = load(past + t * step + (2 * n + 1) * lanes);
            dlr += gr * xr + gi * xi;
            dli += gi * xr - gr * xi;
        }
        store(g, gr), store(g + lanes, gi);
        store(p.dlambdaRe + sumAt, dlr), store(p.dlambdaIm + sumAt, dli);
        store(p.dcRe + sumAt, dcr), store(p.dcIm + sumAt, dci);
    }
}

constexpr std::int64_t mostStates = 64;

} // namespace

void scanForward(const Scan& p, std::int64_t from, std::int64_t to)
{
    const auto blocks = p.channels / lanes, spans = (p.length + scanSpan - 1) / scanSpan, size = p.states * 2 * lanes;
    for (auto task = from; task < to; ++task) {
        const auto text = task / blocks, channel = task % blocks * lanes;
        const V skip = load(p.skip + channel);
        alignas(32) float x[mostStates * 2 * lanes];
        const auto each = [&](const float* re, const float* im, auto&& f) {
            for (std::int64_t n = 0; n < p.states; ++n) {
                const auto at = (text * p.states + n) * p.channels + channel;
                f(re ? re + at : nullptr, im ? im + at : nullptr, x + n * 2 * lanes);
            }
        };
        each(p.startRe, p.startIm, [](const float* re, const float* im, float* own) {
            store(own, re ? load(re) : all(0)), store(own + lanes, im ? load(im) : all(0));
        });
        for (std::int64_t span = 0; span < spans; ++span) {
            const auto first = span * scanSpan, steps = least(scanSpan, p.length - first);
            const float* u = p.u + (text * p.length + first) * p.channels + channel;
            float* y = p.y + (text * p.length + first) * p.channels + channel;
            if (p.spans)
                for (std::int64_t i = 0; i < size; i += lanes)
                    store(p.spans + (task * spans + span) * size + i, load(x + i));
            for (std::int64_t t = 0; t < steps; ++t) store(y + t * p.channels, skip * load(u + t * p.channels));
            std::int64_t n = 0;
            for (; n + 4 <= p.states; n += 4) forwardSpan<4>(p, channel, n, steps, u, y, x);
            for (; n < p.states; ++n) forwardSpan<1>(p, channel, n, steps, u, y, x);
        }
        if (p.endRe)
            each(p.endRe, p.endIm, [](const float* re, const float* im, const float* own) {
                store(const_cast<float*>(re), load(own)), store(const_cast<float*>(im), load(own + lanes));
            });
    }
}

void scanBackward(const Scan& p, std::int64_t from, std::int64_t to)
{
    const auto blocks = p.channels / lanes, spans = (p.length + scanSpan - 1) / scanSpan, size = p.states * 2 * lanes;
    for (auto task = from; task < to; ++task) {
        const auto text = task / blocks, channel = task % blocks * lanes;
        const V skip = load(p.skip + channel);
        V dskip = all(0);
        alignas(32) float gradient[mostStates * 2 * lanes], past[scanSpan * 4 * lanes];
        for (std::int64_t i = 0; i < size; ++i) gradient[i] = 0;
        float* const sums[] { p.dlambdaRe, p.dlambdaIm, p.dcRe, p.dcIm };
        for (std::int64_t n = 0; n < p.states; ++n)
            for (float* const d : sums) store(d + (text * p.states + n) * p.channels + channel, all(0));
        for (auto span = spans; span-- > 0;) {
            const auto first = span * scanSpan, steps = least(scanSpan, p.length - first);
            const auto at = (text * p.length + first) * p.channels + channel;
            const float *u = p.u + at, *dy = p.dy + at, *x = p.spans + (task * spans + span) * size;
            float* du = p.du + at;
            for (std::int64_t t = 0; t < steps; ++t) {
                const V d = load(dy + t * p.channels);
                dskip += d * load(u + t * p.channels);
                store(du + t * p.channels, skip * d);
            }
            std::int64_t n = 0;
            for (; n + 2 <= p.states; n += 2) backwardSpan<2>(p, text, channel, n, steps, u, dy, du, x, gradient, past);
            if (n < p.states) backwardSpan<1>(p, text, channel, n, steps, u, dy, du, x, gradient, past);
        }
        store(p.dskip + text * p.channels + channel, dskip);
    }
}

} // namespace pha::cpu::PHA_CPU_LEVEL
