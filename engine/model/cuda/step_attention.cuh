// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_worker.cuh"

/// Attention of one token over the cache.
namespace pha::kernels {

constexpr int slotsTogether = 4, ///< of the ring
    weightStride = warpKeys + 4; ///< a head's weights and what is kept of the earlier ones; no two lanes meet in a bank
constexpr float lowest = -1e30f; ///< a score of nothing, to which a score may still be subtracted

/// Softmax over the keys seen so far, in powers of two. A lane has one head of each four, lane % 4, and of its sum
/// every eighth key; of the values eight channels, and every fourth key or, beyond 64 channels, every second.
template <int Group> struct Running {
    static constexpr int fours = (Group + 3) / 4;
    float most[fours], sum[fours] {}, value[Group][8] {};
    __device__ Running()
    {
#pragma unroll
        for (int f = 0; f < fours; ++f) most[f] = lowest;
    }
};
__device__ inline int lanesOf(const StepAttend& t) { return t.headWidth > 64 ? 16 : 8; } ///< of a key's values

/// A projected head (dh) to shared memory: normed, scaled, rotated, or as it is. One warp.
template <class W> __device__ void head(W& w, const StepAttend& t, float* to, int from, float scale, bool changed)
{
    const int half = t.headWidth / 2, c0 = 2 * w.lane, c1 = c0 + 2 * warp;
    const auto place = [&](int i) { return (i ? c1 : c0) < t.headWidth ? w.words(from + (i ? c1 : c0)) : nullptr; };
    uint2 got[2];
    float cosine[2], sine[2]; // asked for before anything is waited for
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const int c = w.lane + i * warp;
        const bool wanted = changed && t.rotated && c < half;
        const auto at = std::int64_t(w.position) * half + c;
        cosine[i] = wanted ? w.p.cosine[at] : 1, sine[i] = wanted ? w.p.sine[at] : 0;
    }
    awaitWords(w.tag, got, place);
    const auto a = asFloats(got[0]), b = asFloats(got[1]);
    const float squares = sumLanes(a.x * a.x + a.y * a.y + b.x * b.x + b.y * b.y);
    if (changed && t.normed) scale *= rsqrtf(squares / t.headWidth + t.eps);
    if (place(0)) *reinterpret_cast<float2*>(to + c0) = { a.x * scale, a.y * scale };
    if (place(1)) *reinterpret_cast<float2*>(to + c1) = { b.x * scale, b.y * scale };
    __syncwarp();
    if (!changed || !t.rotated) return;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const int c = w.lane + i * warp;
        if (c >= half) break;
        const float x = to[c], y = to[c + half];
        to[c] = x * cosine[i] - y * sine[i];
        to[c + half] = x * sine[i] + y * cosine[i];
    }
    __syncwarp();
}

/// The new key and value, as later steps will read them.
template <class W> __device__ void keep(W& w, float* from, void* cache, int headWidth)
{
#pragma unroll 1
    for (int c = w.lane; c < headWidth; c += warp) {
        const auto rounded = narrow(from[c]);
        from[c] = wide(rounded);
        static_cast<bf16*>(cache)[std::int64_t(w.position) * headWidth + c] = rounded;
    }
}

template <int Group, class W> __device__ void ownKey(W& w, Running<Group>& r, const StepAttend& t)
{
    const int lanes = lanesOf(t), c = 4 * w.lane, mine = 8 * (w.lane % lanes);
    const bool real = c < t.headWidth;
    const auto k = real ? *reinterpret_cast<const float4*>(w.shared.key + c) : float4 {};
#pragma unroll
    for (int q = 0; q < Group; ++q) {
        const auto x = real ? *reinterpret_cast<const float4*>(w.shared.query[q] + c) : float4 {};
        const float score = sumLanes((x.x * k.x + x.y * k.y) + (x.z * k.z + x.w * k.w));
        if (w.lane % 4 == q % 4) r.most[q / 4] = score, r.sum[q / 4] = w.lane < 4;
#pragma unroll
        for (int i = 0; i < 8; ++i) r.value[q][i] = w.lane < lanes && mine < t.headWidth ? w.shared.value[mine + i] : 0;
    }
}

/// The group's queries as multiplyEight wants them.
template <int Group, class W>
__device__ void loadQueries(const W& w, const StepAttend& t, uint2 (&query)[Running<Group>::fours][mostHead / 32])
{
#pragma unroll
    for (int f = 0; f < Running<Group>::fours; ++f)
#pragma unroll
        for (int k = 0; k < mostHead / 32; ++k) {
            const int head = 4 * f + w.lane / 8, c = 32 * k + 8 * (w.lane % 4) + w.lane / 4 % 2 * 2;
            query[f][k] = {};
            if (head >= t.group || c >= t.headWidth) continue;
            const auto a = *reinterpret_cast<const float2*>(&w.shared.query[head][c]),
                       b = *reinterpret_cast<const float2*>(&w.shared.query[head][c + 4]);
            query[f][k] = { packed(a.x, a.y), packed(b.x, b.y) };
        }
}

/// Up to 16 keys of a slot: scores of all heads by the tensor cores, values by a lane's channels.
template <int Group, class W>
__device__ void look(const W& w, Running<Group>& r, const StepAttend& t,
    const uint2 (&query)[Running<Group>::fours][mostHead / 32], const unsigned char* keys, const unsigned char* values,
    int first, int count)
{
    constexpr int fours = Running<Group>::fours;
    const int lane = w.lane, row = 2 * t.headWidth, last = count - 1, mine = first + lane / 4;
    auto* weights = w.shared.sums + w.w * mostGroup * weightStride;
    const auto *low = keys + min(mine, last) * row + 16 * (lane % 4),
               *high = keys + min(mine + 8, last) * row + 16 * (lane % 4);
    float score[fours][2][4] {};
#pragma unroll
    for (int k = 0; k < mostHead / 32; ++k) {
        if (32 * k >= t.headWidth) break;
        uint4 a {}, b {};
        if (32 * k + 8 * (lane % 4) < t.headWidth)
            a = *reinterpret_cast<const uint4*>(low + 64 * k), b = *reinterpret_cast<const uint4*>(high + 64 * k);
#pragma unroll
        for (int f = 0; f < fours; ++f)
            multiplyEight(score[f][0], a, query[f][k]), multiplyEight(score[f][1], b, query[f][k]);
    }
#pragma unroll
    for (int f = 0; f < fours; ++f) {
        float a = mine < count ? sumOfEight(score[f][0]) : lowest,
              b = mine + 8 < count ? sumOfEight(score[f][1]) : lowest;
        float highest = fmaxf(r.most[f], fmaxf(a, b));
#pragma unroll
        for (int d = warp / 2; d > 2; d /= 2) highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, d));
        const float kept = power(r.most[f] - highest);
        a = power(a - highest), b = power(b - highest);
        r.most[f] = highest;
        r.sum[f] = r.sum[f] * kept + (a + b);
        auto* to = weights + (4 * f + lane % 4) * weightStride;
        to[lane / 4] = a, to[lane / 4 + 8] = b;
        if (lane < 4) to[warpKeys] = kept;
    }
    __syncwarp();
#pragma unroll
    for (int q = 0; q < Group; ++q) {
        const float kept = weights[q * weightStride + warpKeys];
#pragma unroll
        for (int i = 0; i < 8; ++i) r.value[q][i] *= kept;
    }
    const int lanes = lanesOf(t), c = 8 * (lane % lanes), step = warp / lanes;
    const auto* from = values + (c < t.headWidth ? 2 * c : 0);
#pragma unroll 2
    for (int i = lane / lanes; i < warpKeys; i += step) {
        const auto v = *reinterpret_cast<const uint4*>(from + min(first + i, last) * row);
        const float2 v0 = unpacked(v.x), v1 = unpacked(v.y), v2 = unpacked(v.z), v3 = unpacked(v.w);
#pragma unroll
        for (int q = 0; q < Group; ++q) {
            const float u = weights[q * weightStride + i];
            auto& y = r.value[q];
            y[0] += u * v0.x, y[1] += u * v0.y, y[2] += u * v1.x, y[3] += u * v1.y;
            y[4] += u * v2.x, y[5] += u * v2.y, y[6] += u * v3.x, y[7] += u * v3.y;
        }
    }
    __syncwarp();
}

/// The warps' results become one: written whole, or for join() if other multiprocessors hold keys too.
template <int Group, class W> __device__ void gather(W& w, const Running<Group>& r, const StepAttend& t)
{
    const int part = t.headWidth + 4, c = 2 * w.lane;
    constexpr int used = workers * mostGroup * weightStride, floats = W::S::floats - used; // others may still look
    auto* parts = w.shared.sums + used;
    const int room = quotient(floats, workers * part);
    const int lanes = lanesOf(t), mine = 8 * (w.lane % lanes);
#pragma unroll 1
    for (int q0 = 0; q0 < t.group; q0 += room) {
        const int count = min(room, t.group - q0);
#pragma unroll
        for (int q = 0; q < Group; ++q) {
            if (q < q0 || q >= q0 + count) continue;
            auto* at = parts + ((q - q0) * workers + w.w) * part;
            float y[8];
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                y[i] = r.value[q][i] + __shfl_xor_sync(0xffffffffu, r.value[q][i], 16);
                if (lanes == 8) y[i] += __shfl_xor_sync(0xffffffffu, y[i], 8);
            }
            const float sum = sumEighths(r.sum[q / 4]);
            if (w.lane < lanes && mine < t.headWidth) {
                *reinterpret_cast<float4*>(at + mine) = { y[0], y[1], y[2], y[3] };
                *reinterpret_cast<float4*>(at + mine + 4) = { y[4], y[5], y[6], y[7] };
            }
            if (w.lane == q % 4) *reinterpret_cast<float2*>(at + t.headWidth) = { r.most[q / 4], sum };
        }
        w.meet();
#pragma unroll 1
        for (int q = w.w; q < count; q += workers) {
            const auto* from = parts + q * workers * part;
            const auto own = *reinterpret_cast<const float2*>(from + w.lane % workers * part + t.headWidth);
            float top = own.x;
#pragma unroll
            for (int d = workers / 2; d > 0; d /= 2) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, d));
            const float kept = power(own.x - top), sum = sumLanes<workers>(kept * own.y);
            float2 low { 0, 0 }, high { 0, 0 };
#pragma unroll
            for (int v = 0; v < workers; ++v) {
                const float u = __shfl_sync(0xffffffffu, kept, v);
                const auto* at = from + v * part + c;
                const auto x = c < t.headWidth ? *reinterpret_cast<const float2*>(at) : float2 { 0, 0 };
                low.x += u * x.x, low.y += u * x.y;
                if (64 + c >= t.headWidth) continue;
                const auto y = *reinterpret_cast<const float2*>(at + 64);
                high.x += u * y.x, high.y += u * y.y;
            }
            auto* to = w.words(t.out + (q0 + q) * t.outStride);
            const float whole = __fdividef(1, sum);
            if (t.splits > 1) {
                if (c < t.headWidth) storeFloats(to + c / 2, w.tag, low);
                if (64 + c < t.headWidth) storeFloats(to + 32 + c / 2, w.tag, high);
                if (c < 4) storeFloats(to + (t.headWidth + c) / 2, w.tag, { top, sum });
            } else {
                if (c < t.headWidth) storeWord(to + c / 2, w.tag, packed(low.x * whole, low.y * whole));
                if (64 + c < t.headWidth) storeWord(to + 32 + c / 2, w.tag, packed(high.x * whole, high.y * whole));
            }
        }
        w.meet();
    }
}

template <int Group, class W> __device__ void attend(W& w, StepAttend t)
{
    constexpr float log2e = 1.44269504f, mostTemperature = 4.60517019f; // log 100
    t.group = uniform(t.group), t.headWidth = uniform(t.headWidth), t.split = uniform(t.split);
    t.splits = uniform(t.splits), t.normed = uniform(t.normed), t.rotated = uniform(t.rotated);
    const auto range = keysOf(t, w.position);
    const bool owns = t.split == t.splits - 1; // the new key and value
#pragma unroll 1
    for (int i = w.w; i < t.group + (owns ? 2 : 0); i += workers) {
        const bool query = i < t.group, key = i == t.group;
        const float tau = query && t.temperature ? __expf(fminf(t.temperature[i], mostTemperature)) : 1;
        auto* to = query ? w.shared.query[i] : key ? w.shared.key : w.shared.value;
        head(w, t, to,
            query     ? t.query + i * t.headWidth
                : key ? t.key
                      : t.value,
            query ? t.queryScale * tau * log2e : 1, query || key);
        if (!query) keep(w, to, key ? t.keys : t.values, t.headWidth);
    }
    w.meet();
    Running<Group> r;
    uint2 query[Running<Group>::fours][mostHead / 32];
    loadQueries<Group>(w, t, query);
    if (owns && w.w == workers - 1) ownKey(w, r, t);
    const int most = t.slotKeys, each = (most + warpKeys - 1) / warpKeys; // pieces of a slot
#pragma unroll 1
    for (int at = range.first; at < range.last; at += slotsTogether * most) {
        const int slots = min(slotsTogether, quotient(range.last - at + most - 1, most));
        w.ring.awaitMany(slots, w.lane);
#pragma unroll 1
        for (int i = w.w; i < slots * each; i += workers) {
            const int slot = quotient(i, each), first = (i - slot * each) * warpKeys;
            const int count = min(most, range.last - at - slot * most);
            const auto* keys = w.ring.slot(slot);
            if (first < count) look(w, r, t, query, keys, keys + most * t.headWidth * 2, first, count);
        }
        __syncwarp();
        if (w.lane < slots) w.ring.release(w.lane, 1);
        w.ring.pass(slots);
    }
    gather(w, r, t);
}

} // namespace pha::kernels
