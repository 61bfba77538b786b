// SPDX-License-Identifier: GPL-3.0-or-later
// The state space as what it is, a recurrence: time is linear in the length and nothing but the result is stored.
#include "engine/model/cuda/scan.cuh"

#include <type_traits>

namespace pha::kernels {

namespace {

/// With `carry` only the state at the end of each segment but the last is formed, from zero; without, everything from
/// the states that join() has left at the segments' starts.
template <int S, bool Carry> __global__ void __launch_bounds__(lanes* warp) forward(Scan p, Cut cut)
{
    __shared__ __align__(16) float in[lanes][pitch], out[lanes][pitch];
    const int w = threadIdx.x / warp, lane = threadIdx.x % warp;
    const auto here = part(p, cut);
    if (Carry && here.end == p.length) return;
    const int channel = int(blockIdx.x) * lanes + w, c = min(channel, p.channels - 1);
    const auto q = place(p, here.b);
    Lane<S> s;
    load<S>(s.lambda, p.lambdaRe, p.lambdaIm, std::int64_t(c) * p.states, p.states, lane);
    load<S>(s.c, p.cRe, p.cIm, std::int64_t(c) * p.states, p.states, lane);
    const auto own = (here.index * p.channels + c) * p.states;
    if (Carry)
        load<S>(s.x, nullptr, nullptr, 0, p.states, lane);
    else if (cut.segments > 1)
        load<S>(s.x, p.joinRe, p.joinIm, own, p.states, lane);
    else
        load<S>(s.x, p.startRe, p.startIm, own, p.states, lane);
    const float skip = p.skip ? p.skip[c] : 0;
    const auto spans = (p.length + scanSpan - 1) / scanSpan;
    const auto fetch = [&](std::int64_t t) { return fetchInput(p, q, t + q.step, q.inside && t + q.step < here.end); };
    auto next = fetch(here.first);
    for (auto t0 = here.first; t0 < here.end; t0 += tile) {
        in[q.channel][q.step] = input(next, q);
        __syncthreads();
        next = fetch(t0 + tile);
        if (!Carry && p.savedRe && t0 % scanSpan == 0 && channel < p.channels)
            store<S>(s.x, p.savedRe, p.savedIm, ((here.b * spans + t0 / scanSpan) * p.channels + c) * p.states,
                p.states, lane);
        const int steps = int(min(std::int64_t(tile), here.end - t0));
        float r[tile];
        const auto run = [&](auto whole) { // a whole tile has no test between its steps
#pragma unroll
            for (int t = 0; t < tile; ++t) {
                r[t] = 0;
                if (!decltype(whole)::value && t >= steps) continue;
                const float u = in[w][t];
#pragma unroll
                for (int i = 0; i < S; ++i) {
                    advance(s.x[i], s.lambda[i], u);
                    if (!Carry) r[t] = fmaf(s.c[i].re, s.x[i].re, fmaf(-s.c[i].im, s.x[i].im, r[t]));
                }
            }
        };
        if (steps == tile)
            run(std::true_type());
        else
            run(std::false_type());
        if (!Carry) out[w][lane] = fmaf(skip, in[w][lane], transposedSum(r, lane));
        __syncthreads();
        if (!Carry && q.inside && t0 + q.step < here.end)
            static_cast<bf16*>(p.y)[(q.row + t0 + q.step) * p.channels + q.column] = narrow(out[q.channel][q.step]);
    }
    if (channel >= p.channels) return;
    if (Carry)
        store<S>(s.x, p.joinRe, p.joinIm, own, p.states, lane);
    else if (p.endRe && here.end == p.length)
        store<S>(s.x, p.endRe, p.endIm, (here.b * p.channels + c) * p.states, p.states, lane);
}

template <int S> void launchForward(const Scan& p, Stream stream)
{
    const auto cut = cutOf(p);
    const auto grid = gridOf(p, cut);
    if (cut.segments > 1) {
        forward<S, true><<<grid, lanes * warp, 0, on(stream)>>>(p, cut);
        joinSegments(p, cut, false, stream);
    }
    forward<S, false><<<grid, lanes * warp, 0, on(stream)>>>(p, cut);
}
} // namespace

void scanForward(const Scan& p, Stream stream)
{
    p.states <= warp ? launchForward<1>(p, stream) : launchForward<2>(p, stream);
    checkLaunch("scan");
}

} // namespace pha::kernels
