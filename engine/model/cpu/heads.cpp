// SPDX-License-Identifier: GPL-3.0-or-later
// Queries and keys between their projection and attention, and the discretisation of a state space.
#include "engine/model/cpu/level.h"
#include "engine/model/cpu/simd.h"

namespace pha::cpu::PHA_CPU_LEVEL {

namespace {

/// (a, b) turned by an angle; `back`: by its negative. Without angles nothing happens.
PHA_INLINE void rotate(float* x, const float* c, const float* s, std::int64_t half, float sign)
{
    if (!c) return;
    const auto one = [&](auto get, auto set) {
        const V a = get(x), b = get(x + half), co = get(c), si = get(s) * sign;
        set(x, a * co - b * si);
        set(x + half, a * si + b * co);
    };
    overLanes(
        half,
        [&](std::int64_t i) {
            one([&](const float* p) { return load(p + i); }, [&](float* p, V v) { store(p + i, v); });
        },
        [&](std::int64_t i, std::int64_t n) {
            one([&](const float* p) { return loadSome(p + i, n); }, [&](float* p, V v) { storeSome(p + i, v, n); });
        });
}

PHA_INLINE float dot(const float* a, const float* b, std::int64_t n)
{
    V sums = all(0);
    overLanes(
        n, [&](std::int64_t i) { sums += load(a + i) * load(b + i); },
        [&](std::int64_t i, std::int64_t rest) { sums += loadSome(a + i, rest) * loadSome(b + i, rest); });
    return sum(sums);
}

PHA_INLINE float scaleOf(const Heads& p, std::int64_t head)
{
    if (head >= p.queryHeads) return 1;
    return p.queryScale * (p.headScale ? p.headScale[head] : 1.F);
}

} // namespace

void headsForward(const Heads& p, std::int64_t from, std::int64_t to)
{
    const auto dh = p.headWidth, turned = p.queryHeads + p.kvHeads, all = turned + p.kvHeads, half = dh / 2;
    for (auto row = from; row < to; ++row) {
        const auto t = row % p.context;
        const float *c = p.cosine ? p.cosine + t * half : nullptr, *s = p.sine ? p.sine + t * half : nullptr;
        for (std::int64_t head = 0; head < turned; ++head) {
            float* x = p.qkv + (row * all + head) * dh;
            float scale = scaleOf(p, head);
            if (p.normed) {
                const float inverse = 1 / __builtin_sqrtf(dot(x, x, dh) / float(dh) + p.eps);
                p.inverse[row * turned + head] = inverse;
                scale *= inverse;
            }
            for (std::int64_t i = 0; i < dh; ++i) x[i] *= scale;
            rotate(x, c, s, half, 1);
        }
    }
}

void headsBackward(const Heads& p, std::int64_t from, std::int64_t to)
{
    const auto dh = p.headWidth, turned = p.queryHeads + p.kvHeads, all = turned + p.kvHeads, half = dh / 2;
    for (auto row = from; row < to; ++row) {
        const auto t = row % p.context;
        const float *c = p.cosine ? p.cosine + t * half : nullptr, *s = p.sine ? p.sine + t * half : nullptr;
        for (std::int64_t head = 0; head < turned; ++head) {
            const bool query = head < p.queryHeads;
            const float* g =
                query ? p.dq + (row * p.queryHeads + head) * dh : p.dk + (row * p.kvHeads + head - p.queryHeads) * dh;
            const float* x = p.qkv + (row * all + head) * dh; // as attention saw it: scaled, normed, turned
            float* dx = p.dqkv + (row * all + head) * dh;
            const float scale = scaleOf(p, head), product = dot(g, x, dh);
            if (query && p.dheadScale) p.dheadScale[row * p.queryHeads + head] = product / p.headScale[head];
            const float inverse = p.normed ? p.inverse[row * turned + head] : 1.F;
            const float own = inverse * scale, back = p.normed ? inverse * product / (float(dh) * scale) : 0.F;
            for (std::int64_t i = 0; i < dh; ++i) dx[i] = own * g[i] - back * x[i];
            rotate(dx, c, s, half, -1);
        }
        const float* g = p.dv + row * p.kvHeads * dh;
        float* dv = p.dqkv + (row * all + turned) * dh;
        for (std::int64_t i = 0; i < p.kvHeads * dh; ++i) dv[i] = g[i];
    }
}

namespace {

struct Z {
    double re, im;
};
PHA_INLINE Z operator*(Z a, Z b) { return { a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re }; }
PHA_INLINE Z operator*(double a, Z b) { return { a * b.re, a * b.im }; }
PHA_INLINE Z operator+(Z a, Z b) { return { a.re + b.re, a.im + b.im }; }
PHA_INLINE Z conj(Z a) { return { a.re, -a.im }; }
PHA_INLINE Z inverse(Z a)
{
    const double size = a.re * a.re + a.im * a.im; // never 0: the real part is negative
    return { a.re / size, -a.im / size };
}

struct Values {
    double dt;
    Z a, lambda, hold, c;
};
PHA_INLINE Values evaluate(const Spectrum& p, double dt, std::int64_t at)
{
    Values v;
    v.dt = dt;
    v.a = { -__builtin_exp(double(p.logARe[at])), double(p.aIm[at]) };
    const double size = __builtin_exp(dt * v.a.re);
    v.lambda = { size * __builtin_cos(dt * v.a.im), size * __builtin_sin(dt * v.a.im) };
    v.hold = Z { v.lambda.re - 1, v.lambda.im } * inverse(v.a);
    v.c = { double(p.cRe[at]), double(p.cIm[at]) };
    return v;
}

} // namespace

void spectrumForward(const Spectrum& p, std::int64_t from, std::int64_t to)
{
    for (auto channel = from; channel < to; ++channel) {
        const double dt = __builtin_exp(double(p.logDt[channel]));
        for (std::int64_t n = 0; n < p.states; ++n) {
            const auto v = evaluate(p, dt, channel * p.states + n);
            const Z c = 2.0 * (v.c * v.hold); // 2: each state stands for a conjugate pair
            const auto to0 = n * p.channels + channel;
            p.out[0][to0] = float(v.lambda.re), p.out[1][to0] = float(v.lambda.im);
            p.out[2][to0] = float(c.re), p.out[3][to0] = float(c.im);
        }
    }
}

/// The gradient of z is that of w = f(z) times the conjugate of f'.
void spectrumBackward(const Spectrum& p, std::int64_t from, std::int64_t to)
{
    for (auto channel = from; channel < to; ++channel) {
        const double dt = __builtin_exp(double(p.logDt[channel]));
        double ddt = 0;
        for (std::int64_t n = 0; n < p.states; ++n) {
            const auto at = channel * p.states + n, of = n * p.channels + channel;
            const auto v = evaluate(p, dt, at);
            const Z dc { double(p.dout[2][of]), double(p.dout[3][of]) };
            const Z dhold = 2.0 * (dc * conj(v.c)), own = 2.0 * (dc * conj(v.hold));
            const Z dlambda = Z { double(p.dout[0][of]), double(p.dout[1][of]) } + dhold * conj(inverse(v.a));
            const Z da = -1.0 * (dhold * conj(v.hold * inverse(v.a))) + dlambda * conj(v.dt * v.lambda);
            ddt += (dlambda * conj(v.a * v.lambda)).re;
            p.dcRe[at] = float(own.re), p.dcIm[at] = float(own.im);
            p.dlogARe[at] = float(da.re * v.a.re), p.daIm[at] = float(da.im);
        }
        p.dlogDt[channel] = float(ddt * dt);
    }
}

} // namespace pha::cpu::PHA_CPU_LEVEL
