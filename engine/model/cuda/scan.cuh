// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/common.cuh"

/// What the two directions of the scan share: states in lanes, pieces of the sequence in shared memory, segments.
namespace pha::kernels {

constexpr int lanes = 8; // channels, and so warps, of a block
constexpr int tile = 32; // steps between two meetings of the lanes
constexpr int pitch = tile + 4; // of a row of steps: read 16 bytes at a time, 4 steps x 8 channels meet no bank twice

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
__device__ inline float transposedSum(float (&r)[tile], int lane)
{
    fold<tile / 2>(r, lane);
    return r[0];
}

struct State {
    float re, im;
};
__device__ inline void advance(State& x, const State& l, float u)
{
    const float re = fmaf(l.re, x.re, fmaf(-l.im, x.im, u));
    x.im = fmaf(l.re, x.im, l.im * x.re);
    x.re = re;
}

/// The gradient of the state, one step back.
__device__ inline void retreat(State& g, const State& l, const State& c, float dy)
{
    const float re = fmaf(l.re, g.re, fmaf(l.im, g.im, dy * c.re));
    g.im = fmaf(l.re, g.im, fmaf(-l.im, g.re, -dy * c.im));
    g.re = re;
}

/// S states a lane: lane, lane + 32, ...
template <int S> struct Lane {
    State lambda[S], c[S], x[S];
};
template <int S>
__device__ inline void load(State (&to)[S], const float* re, const float* im, std::int64_t base, int states, int lane)
{
#pragma unroll
    for (int s = 0; s < S; ++s) {
        const int n = s * warp + lane;
        to[s] = re && n < states ? State { re[base + n], im[base + n] } : State { 0, 0 };
    }
}
template <int S>
__device__ inline void store(const State (&x)[S], float* re, float* im, std::int64_t base, int states, int lane)
{
#pragma unroll
    for (int s = 0; s < S; ++s)
        if (const int n = s * warp + lane; n < states) re[base + n] = x[s].re, im[base + n] = x[s].im;
}

/// Sequences are cut into `segments` of whole spans, which blocks of their own work on.
struct Cut {
    int segments;
    std::int64_t length; ///< steps of a segment but the last
};

/// The element of a (tile, lanes) piece that this thread moves between memory and the block.
struct Place {
    int step, channel; // inside the piece
    std::int64_t row; // b T, the sequence's first
    int column; // the channel in the model
    bool inside;
    float gain;
};
__device__ inline Place place(const Scan& p, std::int64_t b)
{
    Place q { int(threadIdx.x) / lanes, int(threadIdx.x) % lanes, b * p.length, 0, false, 0 };
    q.column = int(blockIdx.x) * lanes + q.channel;
    q.inside = q.column < p.channels;
    if (q.inside) q.gain = p.gain[q.column];
    return q;
}
/// What u_t is formed from, as it lies in memory, so that it can be asked for long before it is used.
struct Raw {
    bf16 v;
    float inverse;
};
__device__ inline Raw fetchInput(const Scan& p, const Place& q, std::int64_t t, bool there)
{
    if (!there) return { narrow(0), 0 };
    const auto row = q.row + t;
    return { static_cast<const bf16*>(p.projected)[row * p.projectedStride + q.column], p.inverse[row] };
}
__device__ inline float input(const Raw& x, const Place& q) { return gelu(wide(x.v)) * x.inverse * q.gain; }
__device__ inline bf16 fetchGradient(const Scan& p, const Place& q, std::int64_t t, bool there)
{
    return there ? static_cast<const bf16*>(p.dy)[(q.row + t) * p.channels + q.column] : narrow(0);
}

/// Where the block stands: blockIdx.y counts sequences, blockIdx.z their segments.
struct Part {
    std::int64_t b, first, end; // steps
    std::int64_t index; // of the segment among all
};
__device__ inline Part part(const Scan& p, const Cut& cut)
{
    const auto b = std::int64_t(blockIdx.y), first = std::int64_t(blockIdx.z) * cut.length;
    return { b, first, min(p.length, first + cut.length), b * cut.segments + blockIdx.z };
}

Cut cutOf(const Scan& p); ///< as many segments as scanSegments() says, of whole spans
inline dim3 gridOf(const Scan& p, const Cut& cut)
{
    return { blocksFor(p.channels, lanes), unsigned(p.batch), unsigned(cut.segments) };
}
/// What each segment adds to the state, in p.join, becomes the state it starts from; `back`: of the gradients.
void joinSegments(const Scan& p, const Cut& cut, bool back, Stream stream);

} // namespace pha::kernels
