// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_worker.cuh"

/// Attention of one token over the cache.
namespace pha::kernels {

/// Softmax over the keys seen so far, in powers of two. A lane's channels are 2 lane, 2 lane + 1 and the same 64
/// further.
template <int Group> struct Running {
    float most[Group], sum[Group];
    float4 value[Group];
};

/// A projected head (dh) to shared memory: normed, scaled, rotated, or as it is. One warp.
template <class W> __device__ void head(W& w, const StepAttend& t, float* to, int from, float scale, bool changed)
{
    const int half = t.headWidth / 2, c0 = 2 * w.lane, c1 = c0 + 2 * warp;
    const Word* const places[2] { c0 < t.headWidth ? w.words(from + c0) : nullptr,
        c1 < t.headWidth ? w.words(from + c1) : nullptr };
    uint2 got[2];
    awaitWords(places, w.tag, got);
    const auto a = asFloats(got[0]), b = asFloats(got[1]);
    const float squares = sumLanes(a.x * a.x + a.y * a.y + b.x * b.x + b.y * b.y);
    if (changed && t.normed) scale *= rsqrtf(squares / t.headWidth + t.eps);
    if (places[0]) *reinterpret_cast<float2*>(to + c0) = { a.x * scale, a.y * scale };
    if (places[1]) *reinterpret_cast<float2*>(to + c1) = { b.x * scale, b.y * scale };
    __syncwarp();
    if (!changed || !t.rotated) return;
#pragma unroll 1
    for (int c = w.lane; c < half; c += warp) {
        const auto at = std::int64_t(w.position) * half + c;
        const float cosine = w.p.cosine[at], sine = w.p.sine[at], x = to[c], y = to[c + half];
        to[c] = x * cosine - y * sine;
        to[c + half] = x * sine + y * cosine;
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
    const int c = 2 * w.lane;
    const bool low = c < t.headWidth, high = 64 + c < t.headWidth;
    const auto pick = [&](const float* from) {
        const auto a = low ? *reinterpret_cast<const float2*>(from + c) : float2 { 0, 0 },
                   b = high ? *reinterpret_cast<const float2*>(from + 64 + c) : float2 { 0, 0 };
        return float4 { a.x, a.y, b.x, b.y };
    };
    const auto k = pick(w.shared.key), v = pick(w.shared.value);
#pragma unroll
    for (int q = 0; q < Group; ++q) {
        const auto x = pick(w.shared.query[q]);
        r.most[q] = sumLanes(x.x * k.x + x.y * k.y + x.z * k.z + x.w * k.w);
        r.sum[q] = w.lane == 0;
        r.value[q] = v;
    }
}

constexpr int slotWarps = 4; ///< warps that share a slot

/// Up to 16 keys of a slot: eight lanes a key for the scores, a lane a key for their softmax, a lane a pair of channels
/// for the values.
template <int Group, class W>
__device__ void look(W& w, Running<Group>& r, const StepAttend& t, const unsigned char* keys,
    const unsigned char* values, int first, int count)
{
    const int lane = w.lane, row = 2 * t.headWidth, last = count - 1;
    auto* weights = w.shared.sums + w.w * warpKeys * mostGroup; // (Group, 16), free while attention goes on
#pragma unroll 2
    for (int j = 0; j < warpKeys / 4; ++j) {
        const auto* key = keys + min(first + 4 * j + lane / 8, last) * row;
        float score[Group] = {};
#pragma unroll 1
        for (int c0 = 0; c0 < t.headWidth; c0 += 64) {
            const int c = c0 + 8 * (lane % 8);
            uint4 k {};
            if (c < t.headWidth) k = *reinterpret_cast<const uint4*>(key + 2 * c);
            const float2 k0 = unpacked(k.x), k1 = unpacked(k.y), k2 = unpacked(k.z), k3 = unpacked(k.w);
#pragma unroll
            for (int q = 0; q < Group; ++q) {
                const auto a = *reinterpret_cast<const float4*>(&w.shared.query[q][c]),
                           b = *reinterpret_cast<const float4*>(&w.shared.query[q][c + 4]);
                score[q] += ((a.x * k0.x + a.y * k0.y) + (a.z * k1.x + a.w * k1.y))
                    + ((b.x * k2.x + b.y * k2.y) + (b.z * k3.x + b.w * k3.y));
            }
        }
#pragma unroll
        for (int q = 0; q < Group; ++q) {
            const float s = sumLanes<8>(score[q]);
            if (lane % 8 == 0) weights[q * warpKeys + 4 * j + lane / 8] = s;
        }
    }
    __syncwarp();
#pragma unroll
    for (int q = 0; q < Group; ++q) {
        const bool real = lane < warpKeys && first + lane < count;
        const float s = real ? weights[q * warpKeys + lane] : -INFINITY;
        float top = fmaxf(s, r.most[q]);
#pragma unroll
        for (int d = warpKeys / 2; d > 0; d /= 2) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, d));
        top = __shfl_sync(0xffffffffu, top, 0);
        const float kept = power(r.most[q] - top), weight = power(s - top);
        if (lane < warpKeys) weights[q * warpKeys + lane] = weight;
        r.most[q] = top;
        r.sum[q] = r.sum[q] * kept + weight; // a lane's share: gather() adds them up
        r.value[q].x *= kept, r.value[q].y *= kept, r.value[q].z *= kept, r.value[q].w *= kept;
    }
    __syncwarp();
    const bool low = 2 * lane < t.headWidth, high = 64 + 2 * lane<t.headWidth, halves = t.headWidth> 64;
#pragma unroll 4
    for (int i = 0; i < warpKeys; ++i) {
        const auto* at = values + min(first + i, last) * row + 4 * lane;
        const auto a = low ? unpacked(*reinterpret_cast<const unsigned*>(at)) : float2 { 0, 0 };
#pragma unroll
        for (int q = 0; q < Group; ++q) {
            const float u = weights[q * warpKeys + i];
            r.value[q].x += u * a.x, r.value[q].y += u * a.y;
        }
        if (!halves) continue;
        const auto b = high ? unpacked(*reinterpret_cast<const unsigned*>(at + 128)) : float2 { 0, 0 };
#pragma unroll
        for (int q = 0; q < Group; ++q) {
            const float u = weights[q * warpKeys + i];
            r.value[q].z += u * b.x, r.value[q].w += u * b.y;
        }
    }
    __syncwarp();
}

/// The warps' results become one: written whole, or for join() if other multiprocessors hold keys too.
template <int Group, class W> __device__ void gather(W& w, const Running<Group>& r, const StepAttend& t)
{
    const int part = t.headWidth + 2, c = 2 * w.lane;
    constexpr int floats = W::S::buffers * W::S::sums;
    const int room = quotient(floats, workers * part);
#pragma unroll 1
    for (int q0 = 0; q0 < t.group; q0 += room) {
        const int count = min(room, t.group - q0);
        w.meet();
#pragma unroll
        for (int q = 0; q < Group; ++q) {
            if (q < q0 || q >= q0 + count) continue;
            auto* at = w.shared.sums + ((q - q0) * workers + w.w) * part;
            if (c < t.headWidth) *reinterpret_cast<float2*>(at + c) = { r.value[q].x, r.value[q].y };
            if (64 + c < t.headWidth) *reinterpret_cast<float2*>(at + 64 + c) = { r.value[q].z, r.value[q].w };
            const float sum = sumLanes(r.sum[q]);
            if (w.lane == 0) *reinterpret_cast<float2*>(at + t.headWidth) = { r.most[q], sum };
        }
        w.meet();
#pragma unroll 1
        for (int q = w.w; q < count; q += workers) {
            const auto* from = w.shared.sums + q * workers * part;
            const auto own = *reinterpret_cast<const float2*>(from + w.lane % workers * part + t.headWidth);
            float top = own.x;
#pragma unroll
            for (int d = workers / 2; d > 0; d /= 2) top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, d));
            const float kept = top > -INFINITY ? power(own.x - top) : 0, sum = sumLanes<workers>(kept * own.y);
            float2 low { 0, 0 }, high { 0, 0 };
#pragma unroll 4
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
                if (c < t.headWidth) storeWords(to + c, w.tag, low.x, low.y);
                if (64 + c < t.headWidth) storeWords(to + 64 + c, w.tag, high.x, high.y);
                if (c == 0) storeWords(to + t.headWidth, w.tag, top, sum);
            } else {
                if (c < t.headWidth) storeWord(to + c / 2, w.tag, packed(low.x * whole, low.y * whole));
                if (64 + c < t.headWidth) storeWord(to + 32 + c / 2, w.tag, packed(high.x * whole, high.y * whole));
            }
        }
    }
    w.meet();
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
#pragma unroll
    for (int q = 0; q < Group; ++q) r.most[q] = -INFINITY, r.sum[q] = 0, r.value[q] = { 0, 0, 0, 0 };
    if (owns && w.w == 0) ownKey(w, r, t);
    const int most = t.slotKeys;
    int slot = 0;
#pragma unroll 1
    for (int at = range.first; at < range.last; at += most, ++slot, w.ring.pass()) {
        const auto* keys = w.ring.await();
        const int count = slot % (workers / slotWarps) == w.w / slotWarps ? min(most, range.last - at) : 0;
#pragma unroll 1
        for (int first = warpKeys * (w.w % slotWarps); first < count; first += warpKeys * slotWarps)
            look(w, r, t, keys, keys + most * t.headWidth * 2, first, count);
        __syncwarp();
        if (w.lane == 0) w.ring.release(0, 1); // by all: a warp that had not seen the slot would wait for its next turn
    }
    gather(w, r, t);
}

/// Parts of attention over keys that were split, of all heads of one text.
template <class W> __device__ void join(W& w, StepJoin t)
{
    constexpr int together = 4;
    t.splits = uniform(t.splits), t.headWidth = uniform(t.headWidth);
    const int c = 4 * w.thread, part = t.headWidth + 2, which = quotient(c, t.headWidth);
    const bool mine = c < t.width;
    const auto* from = w.words(t.in + which * t.splits * part);
    const int channel = c - which * t.headWidth;
    float most = -INFINITY, sum = 0;
    float4 y { 0, 0, 0, 0 };
#pragma unroll 1
    for (int first = 0; first < t.splits; first += together) {
        const Word* places[3 * together];
        uint2 got[3 * together];
#pragma unroll
        for (int i = 0; i < together; ++i) {
            const bool wanted = mine && first + i < t.splits;
            const auto* at = from + (first + i) * part;
            places[3 * i] = wanted ? at + channel : nullptr;
            places[3 * i + 1] = wanted ? at + channel + 2 : nullptr;
            places[3 * i + 2] = wanted ? at + t.headWidth : nullptr;
        }
        awaitWords(places, w.tag, got);
#pragma unroll
        for (int i = 0; i < together; ++i) {
            const auto s = asFloats(got[3 * i + 2]);
            if (!places[3 * i] || s.x == -INFINITY) continue; // no such split, no keys in it
            const float top = fmaxf(most, s.x), kept = power(most - top), add = power(s.x - top);
            const auto a = W::scaled(y, kept), b = W::scaled(W::asFour(got[3 * i], got[3 * i + 1]), add);
            y = { a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w };
            sum = sum * kept + s.y * add;
            most = top;
        }
    }
    const auto x = W::scaled(y, __fdividef(1, sum));
    w.hand(w.shared.staged, c, mine, { packed(x.x, x.y), packed(x.z, x.w) }, t.out);
}

} // namespace pha::kernels
