// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_worker.cuh"

/// Attention of one token over the cache.
namespace pha::kernels {

constexpr int slotsTogether = 4; ///< of the ring
constexpr float lowest = -1e30f; ///< a score of nothing, to which a score may still be subtracted

/// What a warp looks at in one go: eight registers of keys and as many of values, so that both can be there before the
/// query is. A lane has row lane / 4 of each eight keys; of the values eight channels, and every `step`-th key.
template <bool Wide> struct Keys { ///< Wide: heads of more than 64 channels
    static constexpr int count = Wide ? 16 : 32, eights = count / 8, chunks = Wide ? 4 : 2, lanes = Wide ? 16 : 8,
                         step = warp / lanes;
    uint4 key[eights][chunks], value[count / step];
};
/// Softmax over the keys seen so far, in powers of two. A lane has one head of each four, lane % 4, and of its sum
/// every eighth key; of the values eight channels of some keys.
template <int Group> struct Running {
    static constexpr int fours = (Group + 3) / 4;
    float most[fours], sum[fours] {}, value[Group][8] {};
    __device__ Running()
    {
#pragma unroll
        for (int f = 0; f < fours; ++f) most[f] = lowest;
    }
};

/// A projected head (dh) to shared memory: normed, scaled, rotated, or as it is. One warp, a lane four channels of each
/// half.
template <class W> __device__ void head(W& w, const StepAttend& t, float* to, int from, float scale, bool changed)
{
    const int half = t.headWidth / 2, c = 4 * w.lane;
    const bool real = c < half, turned = changed && t.rotated && real;
    const auto at = std::int64_t(w.position) * half + c; // asked for before anything is waited for
    const auto cosine = turned ? *reinterpret_cast<const float4*>(w.p.cosine + at) : float4 { 1, 1, 1, 1 },
               sine = turned ? *reinterpret_cast<const float4*>(w.p.sine + at) : float4 {};
    float4 got[2];
    w.awaitResults(got, [&](int i) { return real ? w.results(from, c + i * half) : nullptr; });
    if (changed && t.normed) {
        const float squares = sumLanes(real ? W::square(got[0]) + W::square(got[1]) : 0);
        scale *= rsqrtf(squares / t.headWidth + t.eps);
    }
    if (!real) return;
    const auto x = W::scaled(got[0], scale), y = W::scaled(got[1], scale);
    *reinterpret_cast<float4*>(to + c) = { x.x * cosine.x - y.x * sine.x, x.y * cosine.y - y.y * sine.y,
        x.z * cosine.z - y.z * sine.z, x.w * cosine.w - y.w * sine.w };
    *reinterpret_cast<float4*>(to + c + half) = { x.x * sine.x + y.x * cosine.x, x.y * sine.y + y.y * cosine.y,
        x.z * sine.z + y.z * cosine.z, x.w * sine.w + y.w * cosine.w };
}

/// The new key or value, as later steps will read it.
template <class W> __device__ void keep(W& w, float* from, void* cache, const StepAttend& t)
{
#pragma unroll 1
    for (int c = w.lane; c < t.headWidth; c += warp) {
        const auto rounded = narrow(from[c]);
        from[c] = wide(rounded);
        if (t.keeps) static_cast<bf16*>(cache)[std::int64_t(placeOf(t, w.position)) * t.headWidth + c] = rounded;
    }
}

template <int Group, class W> __device__ void ownKey(W& w, Running<Group>& r, const StepAttend& t)
{
    const int lanes = t.headWidth > 64 ? 16 : 8, c = 4 * w.lane, mine = 8 * (w.lane % lanes);
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

/// Keys first ... first + count - 1 of a slot.
template <bool Wide>
__device__ void take(Keys<Wide>& to, const StepAttend& t, const unsigned char* keys, int first, int count, int lane)
{
    using K = Keys<Wide>;
    const int row = 2 * t.headWidth, last = first + count - 1, share = lane % 4, c = 8 * (lane % K::lanes);
    const auto* values = keys + t.slotKeys * row + (c < t.headWidth ? 2 * c : 0);
#pragma unroll
    for (int g = 0; g < K::eights; ++g) {
        const auto* from = keys + min(first + 8 * g + lane / 4, last) * row + 16 * share;
#pragma unroll
        for (int k = 0; k < K::chunks; ++k)
            to.key[g][k] = 32 * k + 8 * share < t.headWidth ? *reinterpret_cast<const uint4*>(from + 64 * k) : uint4 {};
    }
#pragma unroll
    for (int i = 0; i < K::count / K::step; ++i)
        to.value[i] = *reinterpret_cast<const uint4*>(values + min(first + lane / K::lanes + i * K::step, last) * row);
}

/// Scores of all heads by the tensor cores, values by a lane's channels.
template <int Group, bool Wide>
__device__ void look(Running<Group>& r, const uint2 (&query)[Running<Group>::fours][mostHead / 32],
    const Keys<Wide>& keys, int real, int lane)
{
    using K = Keys<Wide>;
    constexpr int fours = Running<Group>::fours;
    float score[fours][K::eights][4] {};
#pragma unroll
    for (int k = 0; k < K::chunks; ++k)
#pragma unroll
        for (int f = 0; f < fours; ++f)
#pragma unroll
            for (int g = 0; g < K::eights; ++g) multiplyEight(score[f][g], keys.key[g][k], query[f][k]);
    float weight[fours][K::eights], kept[fours];
#pragma unroll
    for (int f = 0; f < fours; ++f) {
        float highest = r.most[f], sum = 0;
#pragma unroll
        for (int g = 0; g < K::eights; ++g) {
            weight[f][g] = 8 * g + lane / 4 < real ? sumOfEight(score[f][g]) : lowest;
            highest = fmaxf(highest, weight[f][g]);
        }
#pragma unroll
        for (int d = warp / 2; d > 2; d /= 2) highest = fmaxf(highest, __shfl_xor_sync(0xffffffffu, highest, d));
#pragma unroll
        for (int g = 0; g < K::eights; ++g) weight[f][g] = power(weight[f][g] - highest), sum += weight[f][g];
        kept[f] = power(r.most[f] - highest);
        r.most[f] = highest;
        r.sum[f] = r.sum[f] * kept[f] + sum;
    }
#pragma unroll
    for (int q = 0; q < Group; ++q) {
        const float u = __shfl_sync(0xffffffffu, kept[q / 4], q % 4);
#pragma unroll
        for (int i = 0; i < 8; ++i) r.value[q][i] *= u;
    }
#pragma unroll
    for (int i = 0; i < K::count / K::step; ++i) {
        const auto v = keys.value[i];
        const float2 v0 = unpacked(v.x), v1 = unpacked(v.y), v2 = unpacked(v.z), v3 = unpacked(v.w);
        const int from = (lane / K::lanes + i * K::step % 8) * 4; // of lanes, whose key it is
#pragma unroll
        for (int q = 0; q < Group; ++q) {
            const float u = __shfl_sync(0xffffffffu, weight[q / 4][i * K::step / 8], from + q % 4);
            auto& y = r.value[q];
            y[0] += u * v0.x, y[1] += u * v0.y, y[2] += u * v1.x, y[3] += u * v1.y;
            y[4] += u * v2.x, y[5] += u * v2.y, y[6] += u * v3.x, y[7] += u * v3.y;
        }
    }
}

/// The warps' results become one: written whole, or for join() if other multiprocessors hold keys too.
template <int Group, bool Wide, class W> __device__ void gather(W& w, const Running<Group>& r, const StepAttend& t)
{
    const int part = t.headWidth + 4, c = 2 * w.lane, room = quotient(W::S::floats, workers * part);
    constexpr int lanes = Keys<Wide>::lanes;
    const int mine = 8 * (w.lane % lanes);
    auto* parts = w.shared.sums;
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
            float2 scale[workers], low[workers], high[workers];
#pragma unroll
            for (int v = 0; v < workers; ++v) {
                const auto at = [&](int i, bool real) {
                    return real ? *reinterpret_cast<const float2*>(from + v * part + i) : float2 { 0, 0 };
                };
                scale[v] = at(t.headWidth, true), low[v] = at(c, c < t.headWidth);
                high[v] = at(64 + c, Wide && 64 + c < t.headWidth);
            }
            float top = lowest, sum = 0;
#pragma unroll
            for (int v = 0; v < workers; ++v) top = fmaxf(top, scale[v].x);
            float2 y { 0, 0 }, z { 0, 0 };
#pragma unroll
            for (int v = 0; v < workers; ++v) {
                const float u = power(scale[v].x - top);
                sum += u * scale[v].y;
                y.x += u * low[v].x, y.y += u * low[v].y, z.x += u * high[v].x, z.y += u * high[v].y;
            }
            auto* to = w.words(t.out + (q0 + q) * t.outStride);
            const float whole = __fdividef(1, sum);
            if (t.splits > 1) {
                auto* part = to + (t.split * t.headWidth + c) / 2;
                if (c < t.headWidth) storeFloats(part, w.tag, y);
                if (Wide && 64 + c < t.headWidth) storeFloats(part + 32, w.tag, z);
                const bool odd = t.split == t.splits - 1 && t.splits % 2; // join() takes two at a time
                if (w.lane < 1 + odd)
                    storeFloats(to + t.splits * t.headWidth / 2 + t.split + w.lane, w.tag, { top, sum });
            } else {
                if (c < t.headWidth) storeWord(to + c / 2, w.tag, packed(y.x * whole, y.y * whole));
                if (Wide && 64 + c < t.headWidth) storeWord(to + 32 + c / 2, w.tag, packed(z.x * whole, z.y * whole));
            }
        }
        w.meet();
    }
}

/// The group's queries; of whoever has the last part, the new key and value too.
template <class W> __device__ void heads(W& w, const StepAttend& t, bool owns)
{
    constexpr float log2e = 1.44269504f, mostTemperature = 4.60517019f; // log 100
#pragma unroll 1
    for (int i = w.w; i < t.group + (owns ? 2 : 0); i += workers) {
        const bool query = i < t.group, key = i == t.group;
        const float tau = query && t.temperature ? __expf(fminf(t.temperature[i], mostTemperature)) : 1;
        auto* to = query ? w.shared.query[i] : key ? w.shared.key : w.shared.value;
        head(w, t, to,
            query     ? t.query + i * (W::alone ? t.headWidth / 2 : t.headWidth)
                : key ? t.key
                      : t.value,
            query ? t.queryScale * tau * log2e : 1, query || key);
        __syncwarp();
        if (!query) keep(w, to, key ? t.keys : t.values, t);
    }
    w.meet();
}

template <int Group, bool Wide, class W> __device__ void attend(W& w, StepAttend t)
{
    using K = Keys<Wide>;
    t.group = uniform(t.group), t.headWidth = uniform(t.headWidth), t.split = uniform(t.split);
    t.splits = uniform(t.splits), t.normed = uniform(t.normed), t.rotated = uniform(t.rotated);
    const auto range = keysOf(t, w.position);
    const bool owns = t.split == t.splits - 1; // the new key and value
    const int most = t.slotKeys, each = (most + K::count - 1) / K::count; // pieces of a slot
    K keys;
    int at = range.first, slots = 0, i = w.w, count = 0;
    const auto begin = [&] {
        slots = max(0, min(slotsTogether, quotient(range.last - at + most - 1, most)));
        if (slots > 0) w.ring.awaitMany(slots, w.lane);
        i = w.w;
    };
    const auto next = [&] {
        const int slot = quotient(i, each), first = (i - slot * each) * K::count;
        count = slot < slots ? min(K::count, min(most, range.last - at - slot * most) - first) : 0;
        take(keys, t, w.ring.slot(min(slot, slotsTogether)), first, max(count, 1), w.lane);
    };
    begin();
    next();
    heads(w, t, owns);
    Running<Group> r;
    uint2 query[Running<Group>::fours][mostHead / 32];
    loadQueries<Group>(w, t, query);
    if (owns && w.w == workers - 1) ownKey(w, r, t);
#pragma unroll 1
    while (true) {
        if (count > 0) look<Group>(r, query, keys, count, w.lane);
        i += workers;
        if (i >= slots * each) {
            __syncwarp();
            if (w.lane < slots) w.ring.release(w.lane, 1);
            w.ring.pass(slots);
            at += slotsTogether * most;
            if (at >= range.last) break;
            begin();
        }
        next();
    }
    gather<Group, Wide>(w, r, t);
}

} // namespace pha::kernels
