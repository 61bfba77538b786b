// SPDX-License-Identifier: GPL-3.0-or-later
// How a sequence is cut into segments for the scan, and how their states are joined.
#include "engine/model/cuda/scan.cuh"

#include <algorithm>

namespace pha::kernels {

namespace {

/// lambda^steps, by squaring.
__device__ State power(State base, std::int64_t steps)
{
    State all { 1, 0 };
    for (; steps > 0; steps /= 2) {
        if (steps % 2) all = { all.re * base.re - all.im * base.im, all.re * base.im + all.im * base.re };
        base = { base.re * base.re - base.im * base.im, 2 * base.re * base.im };
    }
    return all;
}

/// What each segment adds becomes the state it starts from: x_{s+1} = lambda^length x_s + added_s. Backward, with
/// conj(lambda) and from the last segment, which alone may be shorter and begins from zero, to the first.
__global__ void join(Scan p, Cut cut, bool back)
{
    const auto i = std::int64_t(blockIdx.x) * blockDim.x + threadIdx.x, each = std::int64_t(p.channels) * p.states;
    if (i >= p.batch * each) return;
    const auto b = i / each, n = i % each;
    const auto turn = power({ p.lambdaRe[n], back ? -p.lambdaIm[n] : p.lambdaIm[n] }, cut.length);
    State x { 0, 0 };
    if (!back && p.startRe) x = { p.startRe[i], p.startIm[i] };
    for (int k = 0; k < cut.segments; ++k) {
        const auto at = (b * cut.segments + (back ? cut.segments - 1 - k : k)) * each + n;
        const State added { p.joinRe[at], p.joinIm[at] };
        p.joinRe[at] = x.re, p.joinIm[at] = x.im;
        x = { fmaf(turn.re, x.re, fmaf(-turn.im, x.im, added.re)), fmaf(turn.re, x.im, fmaf(turn.im, x.re, added.im)) };
    }
}

} // namespace

Cut cutOf(const Scan& p)
{
    const auto segments = scanSegments(p.batch, p.length, p.channels), spans = (p.length + scanSpan - 1) / scanSpan;
    return { int(segments), (spans + segments - 1) / segments * scanSpan };
}
void joinSegments(const Scan& p, const Cut& cut, bool back, Stream stream)
{
    constexpr int threads = 128;
    const auto states = p.batch * p.channels * p.states;
    join<<<blocksFor(states, threads), threads, 0, on(stream)>>>(p, cut, back);
}

bool scanFits(std::int64_t channels, std::int64_t states) { return channels <= mostGssChannels && states <= 2 * warp; }

std::int64_t scanSegments(std::int64_t batch, std::int64_t length, std::int64_t channels)
{
    constexpr std::int64_t blocksEach = 4, fewestSpans = 2; // of a processor; of a segment
    const auto blocks = batch * blocksFor(channels, lanes), spans = (length + scanSpan - 1) / scanSpan;
    const auto wanted = std::clamp<std::int64_t>(blocksEach * processors() / std::max<std::int64_t>(1, blocks), 1,
        std::max<std::int64_t>(1, spans / fewestSpans));
    const auto each = std::max<std::int64_t>(1, (spans + wanted - 1) / wanted); // spans of a segment: none is empty
    return std::max<std::int64_t>(1, (spans + each - 1) / each);
}

} // namespace pha::kernels
