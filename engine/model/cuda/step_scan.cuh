// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_worker.cuh"

/// One token of a state space.
namespace pha::kernels {

/// The recurrence: a warp two channels, a lane every 32nd of their states.
template <class W> __device__ void scan(W& w, const StepScan t)
{
    const int c = t.first + 2 * w.w, lane = w.lane, states = uniform(t.states);
    const bool mine = c < t.channels;
    float2 lambda[2], factor[2], x[2];
    const auto load = [&](int i, int n) { // before anything is waited for
        const auto at = std::int64_t(2 * w.w + i) * t.states + n, shared = t.sharedLambda ? n : at;
        const bool real = mine && n < t.states;
        lambda[i] = real ? float2 { t.from[0][shared], t.from[1][shared] } : float2 { 0, 0 };
        factor[i] = real ? float2 { t.from[2][at], t.from[3][at] } : float2 { 0, 0 };
        x[i] = real ? float2 { t.state[0][at], t.state[1][at] } : float2 { 0, 0 };
    };
#pragma unroll
    for (int i = 0; i < 2; ++i) load(i, lane);
    float2 gain { 0, 0 }, skip { 0, 0 };
    if (mine) gain = { t.gain[c], t.gain[c + 1] }, skip = { t.skip[c], t.skip[c + 1] };

    float squares[1] { 0 };
    const int at = 4 * w.thread;
    const Word* const places[2] { at < t.channels ? w.words(t.in + at) : nullptr,
        at < t.channels ? w.words(t.in + at + 2) : nullptr };
    uint2 got[2];
    awaitWords(places, w.tag, got);
    const auto v = W::asFour(got[0], got[1]);
    if (places[0]) *reinterpret_cast<float4*>(w.shared.channels + at) = v;
    squares[0] = W::square(v);
    w.sumWorkers(squares, w.shared.met[0]);
    const float inverse = rsqrtf(squares[0] / t.channels + w.p.eps);
    float u[2] {}, y[2] {};
    if (mine) u[0] = w.shared.channels[c] * inverse * gain.x, u[1] = w.shared.channels[c + 1] * inverse * gain.y;
#pragma unroll 1
    for (int n0 = 0; n0 < states; n0 += warp)
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const int n = n0 + lane;
            if (n0 > 0) load(i, n);
            const auto l = lambda[i], old = x[i];
            const float re = l.x * old.x - l.y * old.y + u[i], im = l.x * old.y + l.y * old.x;
            y[i] += factor[i].x * re - factor[i].y * im;
            const auto own = std::int64_t(2 * w.w + i) * t.states + n;
            if (mine && n < t.states) t.state[0][own] = re, t.state[1][own] = im;
        }
    const float first = sumLanes(y[0]) + skip.x * u[0], second = sumLanes(y[1]) + skip.y * u[1];
    if (mine && lane == 0) storeWord(w.words(t.out + c / 2), w.tag, packed(first, second));
    w.meet();
}

} // namespace pha::kernels
