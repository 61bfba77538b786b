// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_worker.cuh"

/// One token of a state space.
namespace pha::kernels {

/// The recurrence: a warp some channels, a lane every 32nd of their states.
template <class W> __device__ void scan(W& w, const StepScan t)
{
    constexpr int own = W::scanned;
    const int c = t.first + own * w.w, lane = w.lane, states = uniform(t.states);
    const bool mine = own * w.w < t.count;
    float2 lambda[own], factor[own], x[own];
    const auto load = [&](int i, int n) { // before anything is waited for
        const auto at = std::int64_t(own * w.w + i) * t.states + n, shared = t.sharedLambda ? n : at;
        const bool real = mine && n < t.states;
        lambda[i] = real ? float2 { t.from[0][shared], t.from[1][shared] } : float2 { 0, 0 };
        factor[i] = real ? float2 { t.from[2][at], t.from[3][at] } : float2 { 0, 0 };
        x[i] = real ? float2 { t.state[0][at], t.state[1][at] } : float2 { 0, 0 };
    };
#pragma unroll
    for (int i = 0; i < own; ++i) load(i, lane);
    float gain[own] {}, skip[own] {};
#pragma unroll
    for (int i = 0; i < own; ++i)
        if (mine) gain[i] = t.gain[c + i], skip[i] = t.skip[c + i];

    float squares[1] { 0 };
    const int at = 4 * w.thread;
    const bool there = at < t.channels;
    float4 got[1];
    w.awaitResults(got, [&](int) { return there ? w.results(t.in, at) : nullptr; });
    const auto v = there ? got[0] : float4 {};
    if (there) *reinterpret_cast<float4*>(w.shared.channels + at) = v;
    squares[0] = W::square(v);
    w.sumWorkers(squares, w.shared.met[0]);
    const float inverse = rsqrtf(squares[0] / t.channels + w.p.eps);
    float u[own] {}, y[own] {};
#pragma unroll
    for (int i = 0; i < own; ++i)
        if (mine) u[i] = w.shared.channels[c + i] * inverse * gain[i];
#pragma unroll 1
    for (int n0 = 0; n0 < states; n0 += warp)
#pragma unroll
        for (int i = 0; i < own; ++i) {
            const int n = n0 + lane;
            if (n0 > 0) load(i, n);
            const auto l = lambda[i], old = x[i];
            const float re = l.x * old.x - l.y * old.y + u[i], im = l.x * old.y + l.y * old.x;
            y[i] += factor[i].x * re - factor[i].y * im;
            const auto at = std::int64_t(own * w.w + i) * t.states + n;
            if (mine && n < t.states) t.state[0][at] = re, t.state[1][at] = im;
        }
#pragma unroll
    for (int i = 0; i < own; ++i) y[i] = sumLanes(y[i]) + skip[i] * u[i];
#pragma unroll
    for (int i = 0; i < own; i += 2)
        if (mine && lane == 0) storeWord(w.words(t.out + c / 2 + i / 2), w.tag, packed(y[i], y[i + 1]));
    w.meet();
}

} // namespace pha::kernels
