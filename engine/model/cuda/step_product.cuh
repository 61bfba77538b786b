// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_worker.cuh"

/// What a worker does for rows of a matrix.
namespace pha::kernels {

template <int NB, bool Alone> inline __device__ void Worker<NB, Alone>::stage(int source, int inner)
{
    constexpr int N = 4;
#pragma unroll 1
    for (int base = 0; 2 * base < inner; base += 2 * N * workerThreads) {
        uint2 got[N];
        const auto place = [&](int i) -> const Word* {
            const int at = base + 2 * (thread + i * workerThreads);
            return 2 * at < inner ? words(source + at) : nullptr;
        };
        awaitWords(tag, got, place);
#pragma unroll
        for (int i = 0; i < N; ++i)
            if (place(i)) reinterpret_cast<uint2*>(shared.staged)[base / 2 + thread + i * workerThreads] = got[i];
    }
    meet();
}

template <int NB, bool Alone>
inline __device__ void Worker<NB, Alone>::multiplyAlone(
    float (&acc)[mostEights][4], const bf16* from, int inner, int eights) const
{
    constexpr int next = 32 * workers; // inputs to the warp's next chunk; four to a slot
    static_assert(4 * next == stepSlotDepth);
    const int column = 32 * w + 8 * (lane % 4), place = placeAlone(inner, lane / 4) + 2 * column;
    const uint4 none {};
    int slot = 0, offset = 0;
#pragma unroll 2
    for (int k = column; k - column < inner; k += 2 * next) {
        const bool low = k < inner, high = k + next < inner;
        const auto x = pick(low && lane < 8 ? *reinterpret_cast<const uint4*>(from + k) : none);
        const auto y = pick(high && lane < 8 ? *reinterpret_cast<const uint4*>(from + k + next) : none);
#pragma unroll
        for (int e = 0; e < mostEights; e += 2) { // of an odd number one is multiplied for nothing
            if (e >= eights) break;
            const auto *a = ring.slot(slot + e) + place + offset, *b = ring.slot(slot + e + 1) + place + offset;
            const auto load = [&](bool real, const unsigned char* at) {
                return real ? *reinterpret_cast<const uint4*>(at) : none;
            };
            const auto a0 = load(low, a), b0 = load(low, b), a1 = load(high, a + 2 * next),
                       b1 = load(high, b + 2 * next);
            multiplyEight(acc[e], a0, x), multiplyEight(acc[e + 1], b0, x);
            multiplyEight(acc[e], a1, y), multiplyEight(acc[e + 1], b1, y);
        }
        offset ^= 4 * next;
        if (!offset) slot += eights;
    }
}

template <int NB, bool Alone>
inline __device__ void Worker<NB, Alone>::productAlone(const StepProduct t, StepFinish finishing)
{
    const int inner = uniform(t.inner), source = uniform(t.source), rows = uniform(t.rows);
    const auto how = StepFinish(uniform(int(finishing)));
    const int eights = (rows + 7) / 8, slots = (inner + stepSlotDepth - 1) / stepSlotDepth * eights;
    if (source > 0 && resident != source) {
        stage(source, inner);
        resident = source;
    }
    const int row = 16 * w + lane % 16;
    const bool writes = lane < 16 && row < rows;
    const Word* gate = how == StepFinish::Gate && writes ? words(t.gate + row / 2 * 2) : nullptr;
    Word gates[2] {}; // asked for early; they have been there for long
    if (gate) loadWords(gate, gates[0], gates[1]);
    ring.awaitMany(slots, lane);
    float acc[mostEights][4] = {};
    multiplyAlone(acc, source == -1 ? shared.normed : shared.staged, inner, eights);
    auto* sums = shared.sums + parity * S::sums;
    parity ^= 1;
    const int own = t.second ? lane / 4 : lane / 4 % 2 * 4 + lane / 8; // placeAlone's row
#pragma unroll
    for (int e = 0; e < mostEights; ++e)
        if (lane % 4 == 0 && e < eights) sums[w * S::part + 8 * e + own] = sumOfEight(acc[e]);
    meet();
    if (w == workers - 1 && lane < slots) ring.release(lane, workers);
    ring.pass(slots);
    if (16 * w >= rows) return;
    float y = 0;
#pragma unroll
    for (int v = 0; v < workers / 2; ++v) y += sums[(lane / 16 * (workers / 2) + v) * S::part + row];
    y += __shfl_xor_sync(0xffffffffu, y, 16);
    if (source == -1) y *= inverse;
    if (how == StepFinish::Gate) {
        auto v = asFloats({ unsigned(gates[0]), unsigned(gates[1]) });
        if (!__all_sync(0xffffffffu, !gate || (gates[0] >> 32 == tag && gates[1] >> 32 == tag)))
            v = awaitPair(gate, tag);
        y *= row % 2 ? v.y : v.x;
    }
    finishRow(t, how, row, writes, y);
}

template <int NB, bool Alone>
inline __device__ void Worker<NB, Alone>::finishRow(const StepProduct& t, StepFinish how, int row, bool writes, float y)
{
    auto* to = words(t.out);
    if (how == StepFinish::Wide) {
        if (writes) storeWord(to + row, tag, __float_as_uint(y));
    } else if (how == StepFinish::Logits) {
        if (!writes) return;
        p.logits[t.row + row] = y;
        see(y, t.row + row);
    } else if (how == StepFinish::SwiGlu) {
        const float h = y * sigmoid(y) * __shfl_down_sync(0xffffffffu, y, 1);
        const float next = __shfl_down_sync(0xffffffffu, h, 2);
        if (writes && row % 4 == 0) storeWord(to + row / 4, tag, packed(h, next));
    } else {
        if (how != StepFinish::Gate) y = activated(how, y);
        const float next = __shfl_down_sync(0xffffffffu, y, 1);
        if (how == StepFinish::WideGelu) {
            if (writes) storeWord(to + row, tag, __float_as_uint(y));
        } else if (writes && row % 2 == 0) {
            storeWord(to + row / 2, tag, packed(y, next));
        }
    }
}

template <int NB, bool Alone>
template <int Tiles>
inline __device__ void Worker<NB, Alone>::loadInput(const StepProduct& t, int source, int first)
{
    constexpr int tiles = Tiles < NB ? Tiles : NB,
                  each = 2 * tiles; // asked for at once: the way there and back is long
    const int k = 32 * first + 4 * (lane % 4);
#pragma unroll
    for (int n0 = 0; n0 < NB; n0 += tiles) {
        const int text = lane / 4 + 8 * n0;
        const auto* from = words(source + (text * t.inner + k) / 2);
        uint2 got[S::together * each];
        awaitWords(tag, got, [&](int i) -> const Word* {
            const int chunk = i / each, n = i % each / 2, half = i % 2;
            const bool real = text + 8 * n < p.batch && k + 32 * chunk + 16 * half < t.count;
            return real ? from + 4 * n * t.inner + 16 * chunk + 8 * half : nullptr;
        });
#pragma unroll
        for (int i = 0; i < S::together * each; i += 2)
            input[i / each][n0 + i % each / 2] = { got[i].x, got[i].y, got[i + 1].x, got[i + 1].y };
    }
}

template <int NB, bool Alone>
inline __device__ void Worker<NB, Alone>::multiplyRows(
    float (&acc)[NB][4], const StepProduct& t, int source, int begin, int end)
{
    constexpr int N = S::together;
    const bool fits = end - begin <= N;
    if (fits && resident != source) loadInput<2>(t, source, begin);
    resident = fits ? source : 0;
#pragma unroll
    for (auto& tile : acc)
#pragma unroll
        for (auto& x : tile) x = 0;
    const int place = lane / 4 * slotStride + lane % 4 * 8;
    const unsigned char* slot = nullptr;
#pragma unroll 1
    for (int first = begin; first < end; first += N) {
        if (!fits) loadInput<1>(t, source, first);
        uint2 top[N][2], bottom[N][2];
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const int chunk = first + i;
            if (chunk >= end) break;
            if (chunk == begin || chunk % slotChunks == 0) slot = ring.await(chunk / slotChunks);
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const auto* at = slot + place + chunk % slotChunks * 64 + 32 * half;
                const bool real = chunk * 32 + 16 * half + 4 * (lane % 4) < t.count;
                top[i][half] = real ? *reinterpret_cast<const uint2*>(at) : uint2 {};
                bottom[i][half] = real ? *reinterpret_cast<const uint2*>(at + 8 * slotStride) : uint2 {};
            }
        }
#pragma unroll
        for (int i = 0; i < N; ++i) {
            if (first + i >= end) break;
#pragma unroll
            for (int n = 0; n < NB; ++n) {
                const auto x = input[i][n];
                multiply(acc[n], top[i][0].x, bottom[i][0].x, top[i][0].y, bottom[i][0].y, x.x, x.y);
                multiply(acc[n], top[i][1].x, bottom[i][1].x, top[i][1].y, bottom[i][1].y, x.z, x.w);
            }
        }
    }
}

template <int NB, bool Alone>
inline __device__ void Worker<NB, Alone>::productTogether(const StepProduct t, StepFinish finishing)
{
    const int count = uniform(t.count), source = uniform(t.source + t.begin / 2);
    const auto how = StepFinish(uniform(int(finishing)));
    const int chunks = (count + 31) / 32, each = (chunks + workers - 1) / workers, begin = w * each;
    const int slots = (count + slotInner - 1) / slotInner, pair = lane / 4, share = lane % 4;
    float acc[NB][4];
    multiplyRows(acc, t, source, begin, min(begin + each, chunks));
    auto* sums = shared.sums + parity * S::sums;
    if (S::buffers == 2) parity ^= 1;
    if (begin < chunks) {
#pragma unroll
        for (int n = 0; n < NB; ++n) {
            auto* at = sums + w * S::part + (8 * n + 2 * share) * S::column + pair;
            at[0] = acc[n][0], at[8] = acc[n][2];
            at[S::column] = acc[n][1], at[S::column + 8] = acc[n][3];
        }
    }
    meet();
    if (w == workers - 1 && lane < slots) ring.release(lane, workers);
    ring.pass(slots);
    const int text = thread / 8, rows = 2 * (thread % 8);
    float2 y { 0, 0 };
#pragma unroll
    for (int v = 0; v < workers; ++v) {
        const auto part = *reinterpret_cast<const float2*>(sums + v * S::part + text * S::column + rows);
        if (v * each < chunks) y.x += part.x, y.y += part.y;
    }
    if (4 * w < p.batch) finish(t, how, text, rows, text < p.batch, y);
    if (S::buffers == 1) meet();
}

template <int NB, bool Alone>
inline __device__ void Worker<NB, Alone>::finish(
    const StepProduct& t, StepFinish how, int text, int row, bool writes, float2 y)
{
    auto* to = words(t.out + text * t.outStride);
    writes &= row < t.rows;
    if (how == StepFinish::Wide) {
        if (writes) storeWords(to + row, tag, y.x, y.y);
        return;
    }
    if (how == StepFinish::Logits) {
        if (!writes) return;
        const int n = t.row + row;
        auto* at = p.logits + std::int64_t(text) * p.vocabulary + n;
        at[0] = y.x, see(y.x, n);
        if (row + 1 < t.rows) at[1] = y.y, see(y.y, n + 1);
        return;
    }
    if (how == StepFinish::SwiGlu) {
        const float h = y.x * sigmoid(y.x) * y.y, next = __shfl_down_sync(0xffffffffu, h, 1);
        if (writes && row % 4 == 0) storeWord(to + row / 4, tag, packed(h, next));
        return;
    }
    if (how == StepFinish::Gate) {
        const auto v = awaitPair(writes ? words(t.gate + text * t.gateStride + row) : nullptr, tag);
        y.x *= v.x, y.y *= v.y;
    } else {
        y = { activated(how, y.x), activated(how, y.y) };
    }
    if (!writes) return;
    if (how == StepFinish::WideGelu)
        storeWords(to + row, tag, y.x, y.y);
    else
        storeWord(to + row / 2, tag, packed(y.x, y.y));
}

} // namespace pha::kernels
