// SPDX-License-Identifier: GPL-3.0-or-later
// Gradients of the scan: from the last step to the first, the states formed again span by span.
#include "engine/model/cuda/scan.cuh"

namespace pha::kernels {

namespace {

/// The gradient of the state at the first step of each segment but the first, from zero at its end.
template <int S> __global__ void __launch_bounds__(lanes* warp) backwardCarry(Scan p, Cut cut)
{
    __shared__ __align__(16) float grad[lanes][pitch];
    const int w = threadIdx.x / warp, lane = threadIdx.x % warp;
    const auto here = part(p, cut);
    if (here.first == 0) return;
    const int channel = int(blockIdx.x) * lanes + w, c = min(channel, p.channels - 1);
    const auto q = place(p, here.b);
    Lane<S> s;
    load<S>(s.lambda, p.lambdaRe, p.lambdaIm, std::int64_t(c) * p.states, p.states, lane);
    load<S>(s.c, p.cRe, p.cIm, std::int64_t(c) * p.states, p.states, lane);
#pragma unroll
    for (int i = 0; i < S; ++i) s.x[i] = State { 0, 0 };
    const auto fetch = [&](std::int64_t t) {
        return fetchGradient(p, q, t + q.step, q.inside && t >= here.first && t + q.step < here.end);
    };
    const auto tiles = (here.end - here.first + tile - 1) / tile;
    auto next = fetch(here.first + (tiles - 1) * tile);
    for (auto t0 = here.first + (tiles - 1) * tile; t0 >= here.first; t0 -= tile) {
        grad[q.channel][q.step] = wide(next);
        __syncthreads();
        next = fetch(t0 - tile);
#pragma unroll
        for (int t = tile - 1; t >= 0; --t)
#pragma unroll
            for (int i = 0; i < S; ++i) retreat(s.x[i], s.lambda[i], s.c[i], grad[w][t]);
        __syncthreads();
    }
    if (channel < p.channels)
        store<S>(s.x, p.joinRe, p.joinIm, (here.index * p.channels + c) * p.states, p.states, lane);
}

/// Spans from the last to the first; inside a span the states are formed again from its start. With G the gradient of
/// the state: G_t = conj(c) dy_t + conj(lambda) G_{t+1}, du_t = Re sum_n G_t, dlambda = sum_t G_t conj(x_{t-1}).
template <int S> __global__ void __launch_bounds__(lanes* warp) backward(Scan p, Cut cut)
{
    constexpr int tiles = int(scanSpan) / tile;
    __shared__ __align__(16) float in[tiles][lanes][pitch], grad[tiles][lanes][pitch], out[lanes][pitch];
    const int w = threadIdx.x / warp, lane = threadIdx.x % warp;
    const auto here = part(p, cut);
    const int channel = int(blockIdx.x) * lanes + w, c = min(channel, p.channels - 1);
    const auto q = place(p, here.b);
    const auto own = (here.index * p.channels + c) * p.states;
    Lane<S> s;
    State g[S], dl[S], dc[S];
    load<S>(s.lambda, p.lambdaRe, p.lambdaIm, std::int64_t(c) * p.states, p.states, lane);
    load<S>(s.c, p.cRe, p.cIm, std::int64_t(c) * p.states, p.states, lane);
    load<S>(g, cut.segments > 1 ? p.joinRe : nullptr, p.joinIm, own, p.states, lane);
#pragma unroll
    for (int i = 0; i < S; ++i) dl[i] = dc[i] = State { 0, 0 };
    const float skip = p.skip ? p.skip[c] : 0;
    float dskip = 0;
    const auto spans = (p.length + scanSpan - 1) / scanSpan, firstSpan = here.first / scanSpan;
    for (auto span = (here.end + scanSpan - 1) / scanSpan - 1; span >= firstSpan; --span) {
        __syncthreads();
#pragma unroll
        for (int k = 0; k < tiles; ++k) {
            const auto t = span * scanSpan + k * tile + q.step;
            const bool there = q.inside && t < p.length;
            in[k][q.channel][q.step] = input(fetchInput(p, q, t, there), q);
            grad[k][q.channel][q.step] = wide(fetchGradient(p, q, t, there));
        }
        __syncthreads();
        State start[tiles][S]; // before each tile
        load<S>(s.x, p.savedRe, p.savedIm, ((here.b * spans + span) * p.channels + c) * p.states, p.states, lane);
#pragma unroll
        for (int k = 0; k < tiles; ++k) {
#pragma unroll
            for (int i = 0; i < S; ++i) start[k][i] = s.x[i];
            if (k + 1 < tiles)
                for (int t = 0; t < tile; ++t)
#pragma unroll
                    for (int i = 0; i < S; ++i) advance(s.x[i], s.lambda[i], in[k][w][t]);
        }
#pragma unroll
        for (int k = tiles - 1; k >= 0; --k) {
            float r[tile];
#pragma unroll
            for (int t = 0; t < tile; ++t) r[t] = 0;
#pragma unroll
            for (int i = 0; i < S; ++i) {
                State x[tile + 1]; // x[t] is the state before step t
                x[0] = start[k][i];
#pragma unroll
                for (int t = 0; t < tile; ++t) {
                    x[t + 1] = x[t];
                    advance(x[t + 1], s.lambda[i], in[k][w][t]);
                }
#pragma unroll
                for (int t = tile - 1; t >= 0; --t) {
                    const float dy = grad[k][w][t];
                    retreat(g[i], s.lambda[i], s.c[i], dy);
                    r[t] += g[i].re;
                    dc[i].re = fmaf(dy, x[t + 1].re, dc[i].re);
                    dc[i].im = fmaf(-dy, x[t + 1].im, dc[i].im);
                    dl[i].re = fmaf(g[i].re, x[t].re, fmaf(g[i].im, x[t].im, dl[i].re));
                    dl[i].im = fmaf(g[i].im, x[t].re, fmaf(-g[i].re, x[t].im, dl[i].im));
                }
            }
            const float dy = grad[k][w][lane];
            dskip = fmaf(dy, in[k][w][lane], dskip);
            out[w][lane] = fmaf(skip, dy, transposedSum(r, lane));
            __syncthreads();
            const auto t = span * scanSpan + k * tile + q.step;
            if (q.inside && t < p.length) p.du[(q.row + t) * p.channels + q.column] = out[q.channel][q.step];
            __syncthreads();
        }
    }
    dskip = sumLanes(dskip);
    if (channel >= p.channels) return;
    store<S>(dl, p.dlambdaRe, p.dlambdaIm, own, p.states, lane);
    store<S>(dc, p.dcRe, p.dcIm, own, p.states, lane);
    if (lane == 0) p.dskip[here.index * p.channels + c] = dskip;
}

template <int S> void launchBackward(const Scan& p, Stream stream)
{
    const auto cut = cutOf(p);
    const auto grid = gridOf(p, cut);
    if (cut.segments > 1) {
        backwardCarry<S><<<grid, lanes * warp, 0, on(stream)>>>(p, cut);
        joinSegments(p, cut, true, stream);
    }
    backward<S><<<grid, lanes * warp, 0, on(stream)>>>(p, cut);
}

} // namespace

void scanBackward(const Scan& p, Stream stream)
{
    p.states <= warp ? launchBackward<1>(p, stream) : launchBackward<2>(p, stream);
    checkLaunch("scan, backward");
}

} // namespace pha::kernels
