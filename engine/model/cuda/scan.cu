// SPDX-License-Identifier: GPL-3.0-or-later
// The state space as what it is, a recurrence: time is linear in the length and nothing but the result is stored.
#include "engine/model/cuda/common.cuh"

#include <type_traits>

namespace pha::kernels {

namespace {

constexpr int lanes = 8; // channels, and so warps, of a block
constexpr int tile = 32; // steps between two meetings of the lanes

/// One round of transposedSum: lanes `Half` apart split the steps between them.
template <int Half> __device__ void fold(float (&r)[tile], int lane)
{
    const bool upper = lane & Half;
#pragma unroll
    for (int i = 0; i < Half; ++i) {
        const float give = upper ? r[i] : r[i + Half], keep = upper ? r[i + Half] : r[i];
        r[i] = keep + __shfl_xor_sync(0xffffffffu, give, Half);
    }
    if constexpr (Half > 1) fold<Half / 2>(r, lane);
}
/// r[t] of every lane summed over the lanes: lane t is given the sum of step t. 31 exchanges instead of 160.
__device__ float transposedSum(float (&r)[tile], int lane)
{
    fold<tile / 2>(r, lane);
    return r[0];
}

struct State {
    float re, im;
};
__device__ void advance(State& x, const State& l, float u)
{
    const float re = fmaf(l.re, x.re, fmaf(-l.im, x.im, u));
    x.im = fmaf(l.re, x.im, l.im * x.re);
    x.re = re;
}

/// S states a lane: lane, lane + 32, ...
template <int S> struct Lane {
    State lambda[S], c[S], x[S];
};
template <int S>
__device__ void load(State (&to)[S], const float* re, const float* im, std::int64_t base, int states, int lane)
{
#pragma unroll
    for (int s = 0; s < S; ++s) {
        const int n = s * warp + lane;
        to[s] = re && n < states ? State { re[base + n], im[base + n] } : State { 0, 0 };
    }
}
template <int S>
__device__ void store(const State (&x)[S], float* re, float* im, std::int64_t base, int states, int lane)
{
#pragma unroll
    for (int s = 0; s < S; ++s)
        if (const int n = s * warp + lane; n < states) re[base + n] = x[s].re, im[base + n] = x[s].im;
}

__device__ float input(const void* p, bool wideType, std::int64_t at)
{
    return wideType ? static_cast<const float*>(p)[at] : wide(static_cast<const bf16*>(p)[at]);
}

/// The element of a (tile, lanes) piece that this thread moves between memory and the block.
struct Place {
    int step, channel; // inside the piece
    std::int64_t at; // (b, 0, channel) in (B,T,h)
    bool inside;
};
__device__ Place place(const Scan& p, std::int64_t b)
{
    Place q { int(threadIdx.x) / lanes, int(threadIdx.x) % lanes, 0, false };
    const int channel = int(blockIdx.x) * lanes + q.channel;
    q.inside = channel < p.channels;
    q.at = b * p.length * p.channels + channel;
    return q;
}

template <int S> __global__ void __launch_bounds__(lanes* warp) forward(Scan p)
{
    __shared__ float in[lanes][tile + 1], out[lanes][tile + 1];
    const int w = threadIdx.x / warp, lane = threadIdx.x % warp;
    const auto b = std::int64_t(blockIdx.y);
    const int channel = int(blockIdx.x) * lanes + w, c = min(channel, p.channels - 1);
    const auto q = place(p, b);
    Lane<S> s;
    load<S>(s.lambda, p.lambdaRe, p.lambdaIm, std::int64_t(c) * p.states, p.states, lane);
    load<S>(s.c, p.cRe, p.cIm, std::int64_t(c) * p.states, p.states, lane);
    load<S>(s.x, p.startRe, p.startIm, (b * p.channels + c) * p.states, p.states, lane);
    const float skip = p.skip ? p.skip[c] : 0;
    const auto spans = (p.length + scanSpan - 1) / scanSpan;
    const auto fetch = [&](std::int64_t t) {
        return q.inside && t + q.step < p.length ? p.u[q.at + (t + q.step) * p.channels] : 0.0f;
    };
    float next = fetch(0);
    for (std::int64_t t0 = 0; t0 < p.length; t0 += tile) {
        in[q.channel][q.step] = next;
        __syncthreads();
        next = fetch(t0 + tile);
        if (p.savedRe && t0 % scanSpan == 0 && channel < p.channels)
            store<S>(
                s.x, p.savedRe, p.savedIm, ((b * spans + t0 / scanSpan) * p.channels + c) * p.states, p.states, lane);
        const int steps = int(min(std::int64_t(tile), p.length - t0));
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
                    r[t] = fmaf(s.c[i].re, s.x[i].re, fmaf(-s.c[i].im, s.x[i].im, r[t]));
                }
            }
        };
        if (steps == tile)
            run(std::true_type());
        else
            run(std::false_type());
        out[w][lane] = fmaf(skip, in[w][lane], transposedSum(r, lane));
        __syncthreads();
        if (q.inside && t0 + q.step < p.length) {
            const auto at = q.at + (t0 + q.step) * p.channels;
            if (p.wide)
                static_cast<float*>(p.y)[at] = out[q.channel][q.step];
            else
                static_cast<bf16*>(p.y)[at] = narrow(out[q.channel][q.step]);
        }
    }
    if (p.endRe && channel < p.channels)
        store<S>(s.x, p.endRe, p.endIm, (b * p.channels + c) * p.states, p.states, lane);
}

/// Spans from the last to the first; inside a span the states are formed again from its start. With G the gradient of
/// the state: G_t = conj(c) dy_t + conj(lambda) G_{t+1}, du_t = Re sum_n G_t, dlambda = sum_t G_t conj(x_{t-1}).
template <int S> __global__ void __launch_bounds__(lanes* warp) backward(Scan p)
{
    constexpr int tiles = int(scanSpan) / tile;
    __shared__ float in[tiles][lanes][tile + 1], grad[tiles][lanes][tile + 1], out[lanes][tile + 1];
    const int w = threadIdx.x / warp, lane = threadIdx.x % warp;
    const auto b = std::int64_t(blockIdx.y);
    const int channel = int(blockIdx.x) * lanes + w, c = min(channel, p.channels - 1);
    const auto q = place(p, b);
    Lane<S> s;
    State g[S], dl[S], dc[S];
    load<S>(s.lambda, p.lambdaRe, p.lambdaIm, std::int64_t(c) * p.states, p.states, lane);
    load<S>(s.c, p.cRe, p.cIm, std::int64_t(c) * p.states, p.states, lane);
#pragma unroll
    for (int i = 0; i < S; ++i) g[i] = dl[i] = dc[i] = State { 0, 0 };
    const float skip = p.skip ? p.skip[c] : 0;
    float dskip = 0;
    const auto spans = (p.length + scanSpan - 1) / scanSpan;
    for (auto span = spans - 1; span >= 0; --span) {
        __syncthreads();
#pragma unroll
        for (int k = 0; k < tiles; ++k) {
            const auto t = span * scanSpan + k * tile + q.step, at = q.at + t * p.channels;
            const bool there = q.inside && t < p.length;
            in[k][q.channel][q.step] = there ? p.u[at] : 0;
            grad[k][q.channel][q.step] = there ? input(p.dy, p.wide, at) : 0;
        }
        __syncthreads();
        State start[tiles][S]; // before each tile
        load<S>(s.x, p.savedRe, p.savedIm, ((b * spans + span) * p.channels + c) * p.states, p.states, lane);
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
                    const State& l = s.lambda[i];
                    const float re = fmaf(l.re, g[i].re, fmaf(l.im, g[i].im, dy * s.c[i].re));
                    g[i].im = fmaf(l.re, g[i].im, fmaf(-l.im, g[i].re, -dy * s.c[i].im));
                    g[i].re = re;
                    r[t] += re;
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
            if (q.inside && t < p.length) p.du[q.at + t * p.channels] = out[q.channel][q.step];
            __syncthreads();
        }
    }
    dskip = sumLanes(dskip);
    if (channel >= p.channels) return;
    const auto base = (b * p.channels + c) * p.states;
    store<S>(dl, p.dlambdaRe, p.dlambdaIm, base, p.states, lane);
    store<S>(dc, p.dcRe, p.dcIm, base, p.states, lane);
    if (lane == 0) p.dskip[b * p.channels + c] = dskip;
}

} // namespace

bool scanFits(std::int64_t channels, std::int64_t states) { return channels <= 512 && states <= 2 * warp; }

void scanForward(const Scan& p, Stream stream)
{
    const dim3 grid(blocksFor(p.channels, lanes), unsigned(p.batch));
    if (p.states <= warp)
        forward<1><<<grid, lanes * warp, 0, on(stream)>>>(p);
    else
        forward<2><<<grid, lanes * warp, 0, on(stream)>>>(p);
    checkLaunch("scan");
}
void scanBackward(const Scan& p, Stream stream)
{
    const dim3 grid(blocksFor(p.channels, lanes), unsigned(p.batch));
    if (p.states <= warp)
        backward<1><<<grid, lanes * warp, 0, on(stream)>>>(p);
    else
        backward<2><<<grid, lanes * warp, 0, on(stream)>>>(p);
    checkLaunch("scan, backward");
}

} // namespace pha::kernels
