// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_worker.cuh"

/// What a worker does for rows of a matrix, of one text. A warp multiplies every eighth chunk of 32 inputs with all
/// rows. What it needs of the matrix is in its registers before the inputs are there: a link of the chain of results
/// is then some thirty dependent instructions.
namespace pha::kernels {

template <int NB, bool Alone> inline __device__ void Worker<NB, Alone>::stage(int source, int inner)
{
    constexpr int N = 4; // of four chunks
    static_assert(N * 4 * workers * 32 == mostInner);
    const auto channelOf = [&](int i) { return channel() + i * 4 * workers * 32; };
    uint2 got[N];
    awaitWords<false>(
        tag, got, [&](int i) { return channelOf(i) < inner ? words(source + channelOf(i) / 2) : nullptr; });
#pragma unroll
    for (int i = 0; i < N; ++i)
        if (channelOf(i) < inner) putInputs(shared.staged, channelOf(i), got[i]);
    __syncwarp();
}

/// Eight rows of the warp's n-th chunk, as multiplyEight wants them.
template <int NB, bool Alone> inline __device__ uint4 Worker<NB, Alone>::piece(int n, int e) const
{
    const int inner = coming.inner, eights = coming.eights();
    const int column = 32 * w + 8 * (lane % 4), place = placeAlone(inner, lane / 4) + 2 * column;
    const bool real = e < eights && column + 32 * workers * n < inner;
    const auto* at = ring.slot(n / 4 * eights + e) + place + n % 4 * (64 * workers);
    return real ? *reinterpret_cast<const uint4*>(at) : uint4 {};
}
template <int NB, bool Alone>
template <int N, int E>
inline __device__ void Worker<NB, Alone>::holdPieces(uint4 (&to)[N][E]) const
{
    ring.awaitMany(coming.slots(), lane);
#pragma unroll
    for (int n = 0; n < N; ++n)
#pragma unroll
        for (int e = 0; e < E; ++e) to[n][e] = piece(n, e);
}
template <int NB, bool Alone> inline __device__ void Worker<NB, Alone>::hold(const StepTask& t)
{
    const bool product = StepKind(uniform(int(t.kind))) == StepKind::Product;
    const auto& p = t.product;
    coming.inner = uniform(p.inner), coming.source = uniform(p.source), coming.rows = uniform(p.rows);
    coming.out = uniform(p.out), coming.row = uniform(p.row), coming.gate = uniform(p.gate);
    coming.both = uniform(p.second != nullptr), coming.how = StepFinish(uniform(int(t.finish)));
    if (product && coming.inner <= stepSlotDepth) return holdPieces(held);
    for (auto& n : held)
        for (auto& piece : n) piece = {}; // else a compiler would keep them from task to task
}

template <int NB, bool Alone>
template <int E>
inline __device__ void Worker<NB, Alone>::multiplyWide(float (&acc)[mostEights][4], const bf16* from, float& all) const
{
    const auto add = [&](int d) { all += __shfl_xor_sync(0xffffffffu, all, d); };
    uint2 x[chunks];
#pragma unroll
    for (int n = 0; n < chunks; ++n) x[n] = inputsOf(from, n);
    add(16);
#pragma unroll
    for (int n = 0; n < chunks; ++n) {
        if (32 * (w + workers * n) < coming.inner) {
#pragma unroll
            for (int e = 0; e < E; ++e) multiplyEight(acc[e], held[n][e], x[n]);
        }
        add(8 >> n);
    }
    add(1);
}

/// More than stepSlotDepth inputs, which are words; up to two eights. Three sums of each, so that none waits for the
/// one before.
template <int NB, bool Alone> inline __device__ void Worker<NB, Alone>::multiplyDeep(float (&acc)[mostEights][4])
{
    uint4 rows[deepChunks][2];
    holdPieces(rows);
    if (resident != coming.source) stage(coming.source, coming.inner);
#pragma unroll
    for (int n = 0; n < deepChunks; ++n) {
        if (n % 3 == 0 && 32 * (w + workers * n) >= coming.inner) break; // what is not there has been held as zeros
#pragma unroll
        for (int j = 0; j < 2; ++j) multiplyEight(acc[n % 3 * 2 + j], rows[n][j], inputsOf(shared.staged, n));
    }
#pragma unroll 1
    for (int n = deepChunks; 32 * (w + workers * n) < coming.inner; ++n)
#pragma unroll
        for (int j = 0; j < 2; ++j) multiplyEight(acc[j], piece(n, j), inputsOf(shared.staged, n));
#pragma unroll
    for (int j = 0; j < 2; ++j)
#pragma unroll
        for (int i = 0; i < 4; i += 3) acc[j][i] += acc[2 + j][i] + acc[4 + j][i];
}

template <int NB, bool Alone> inline __device__ void Worker<NB, Alone>::productAlone()
{
    const int source = coming.source, eights = coming.eights(), row = warp * w + lane;
    const bool writes = row < coming.rows, first = fresh && source == -1;
    const int own = coming.both ? lane / 4 : lane / 4 % 2 * 4 + lane / 8; // placeAlone's row
    const auto* sums = shared.sums + parity * S::sums + row;
    auto* mine = shared.sums + parity * S::sums + w * S::part + own;
    auto* met = shared.met[1][parity];
    const Word* gate = coming.how == StepFinish::Gate && writes ? results(coming.gate, row / 4 * 4) : nullptr;
    Word gates[2] {};
    float acc[mostEights][4] = {}, all = square(shared.stream[thread]);
    if (coming.inner > stepSlotDepth) {
        multiplyDeep(acc);
    } else {
        if (source > 0 && resident != source) stage(source, coming.inner);
        if (gate) loadWords(gate, gates[0], gates[1]); // they have been there for long
        const auto* from = source == -1 ? shared.normed : shared.staged;
        if (eights <= 2)
            multiplyWide<2>(acc, from, all);
        else if (eights == 3)
            multiplyWide<3>(acc, from, all);
        else if (eights == 4)
            multiplyWide<4>(acc, from, all);
        else
            multiplyWide<mostEights>(acc, from, all);
        if (32 * (w + workers * chunks) < coming.inner) {
#pragma unroll
            for (int e = 0; e < mostEights; ++e)
                if (e < eights) multiplyEight(acc[e], piece(chunks, e), inputsOf(from, chunks));
        }
    }
    if (source > 0) resident = source;
    parity ^= 1;
#pragma unroll
    for (int e = 0; e < mostEights; ++e)
        if (lane % 4 == 0 && e < eights) mine[8 * e] = sumOfEight(acc[e]);
    if (first && lane == 0) met[w] = all;
    meet();
    if (first) {
        all = 0;
#pragma unroll
        for (int v = 0; v < workers; ++v) all += met[v];
        inverse = rsqrtf(all * p.share + p.eps), fresh = false;
    }
    if (warp * w < coming.rows) {
        float y = 0;
#pragma unroll
        for (int v = 0; v < workers; ++v) y += sums[v * S::part];
        if (source == -1) y *= inverse;
        if (coming.how == StepFinish::Gate) {
            const bool there = !gate || (gates[0] % 2 == tag % 2 && gates[1] % 2 == tag % 2);
            float4 v[1] { fourOf(gates[0], gates[1]) };
            if (!__all_sync(0xffffffffu, there)) awaitFloats(tag, v, [&](int) { return gate; });
            y *= row % 4 == 0 ? v[0].x : row % 4 == 1 ? v[0].y : row % 4 == 2 ? v[0].z : v[0].w;
        }
        finishRow(row, writes, y);
    }
    if (w == workers - 1 && lane < coming.slots()) ring.release(lane, workers);
    ring.pass(coming.slots());
}

template <int NB, bool Alone> inline __device__ void Worker<NB, Alone>::finishRow(int row, bool writes, float y)
{
    const auto how = coming.how;
    auto* to = words(coming.out);
    if (how == StepFinish::Wide) {
        const float next = __shfl_down_sync(0xffffffffu, y, 1);
        if (writes && row % 2 == 0) storeFloats(to + row / 2, tag, { y, next });
    } else if (how == StepFinish::Logits) {
        if (!writes) return;
        p.logits[coming.row + row] = y;
        see(y, coming.row + row);
    } else if (how == StepFinish::SwiGlu) {
        const float h = y * sigmoid(y) * __shfl_down_sync(0xffffffffu, y, 1);
        const float next = __shfl_down_sync(0xffffffffu, h, 2);
        if (writes && row % 4 == 0) storeWord(to + row / 4, tag, packed(h, next));
    } else {
        if (how != StepFinish::Gate) y = activated(how, y);
        const float next = __shfl_down_sync(0xffffffffu, y, 1);
        if (how == StepFinish::WideGelu) {
            if (writes && row % 2 == 0) storeFloats(to + row / 2, tag, { y, next });
        } else if (writes && row % 2 == 0) {
            storeWord(to + row / 2, tag, packed(y, next));
        }
    }
}

} // namespace pha::kernels
