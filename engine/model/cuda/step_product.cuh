// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_worker.cuh"

/// What a worker does for rows of a matrix, of several texts.
namespace pha::kernels {

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
