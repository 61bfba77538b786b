// SPDX-License-Identifier: GPL-3.0-or-later
// Attention of one token of each text over the cache.
#include "engine/model/cpu/level.h"
#include "engine/model/cpu/narrow.h"

namespace pha::cpu::PHA_CPU_LEVEL {

namespace {

/// A projected head (dh) of a text out of its column: normed, scaled, rotated, or as it is.
void gather(const StepAttention& p, std::int64_t position, std::int64_t text, std::int64_t head, float scale,
    bool changed, float* to)
{
    const auto dh = p.headWidth, half = dh / 2;
    const auto* from = p.qkv + head * dh * p.columns + text;
    float squares = 0;
    for (std::int64_t i = 0; i < dh; ++i) to[i] = from[i * p.columns], squares += to[i] * to[i];
    if (!changed) return;
    if (p.normed) scale /= __builtin_sqrtf(squares / float(dh) + p.eps);
    for (std::int64_t i = 0; i < dh; ++i) to[i] *= scale;
    if (!p.cosine) return;
    const float *cosine = p.cosine + position * half, *sine = p.sine + position * half;
    for (std::int64_t i = 0; i < half; ++i) {
        const float a = to[i], b = to[i + half];
        to[i] = a * cosine[i] - b * sine[i];
        to[i + half] = a * sine[i] + b * cosine[i];
    }
}

/// Keys and values [from, from + count) of a head for the queries q (group,dh): scores s (group,stepPiece) become
/// weights, o (group,dh + 2) is as StepAttention::parts.
template <class T>
PHA_INLINE void look(
    const StepAttention& p, const T* keys, const T* values, std::int64_t count, const float* q, float* s, float* o)
{
    const auto dh = p.headWidth, whole = wholeLanes(count);
    for (std::int64_t t = 0; t < whole; t += lanes) {
        const T* key[lanes];
        for (int j = 0; j < lanes; ++j) key[j] = keys + least(t + j, count - 1) * dh; // the last again, to be cleared
        for (std::int64_t g = 0; g < p.group; ++g) {
            V products[8];
            for (auto& x : products) x = all(0);
            for (std::int64_t i = 0; i < dh; i += lanes) {
                const V own = load(q + g * dh + i);
                for (int j = 0; j < lanes; ++j) products[j] += own * loadWide(key[j] + i);
            }
            store(s + g * stepPiece + t, sums(products));
        }
    }
    for (std::int64_t g = 0; g < p.group; ++g) {
        float *own = s + g * stepPiece, *to = o + g * (dh + 2);
        for (auto t = count; t < whole; ++t) own[t] = -1e30F;
        V high = load(own), total = all(0);
        for (auto t = lanes; t < whole; t += lanes) high = larger(high, load(own + t));
        const float top = largest(high);
        for (std::int64_t t = 0; t < whole; t += lanes) {
            const V e = exponential(load(own + t) - top);
            store(own + t, e);
        }
        for (auto t = count; t < whole; ++t) own[t] = 0;
        for (std::int64_t t = 0; t < whole; t += lanes) total += load(own + t);
        for (std::int64_t i = 0; i < dh; ++i) to[i] = 0;
        to[dh] = sum(total), to[dh + 1] = top;
    }
    for (std::int64_t t = 0; t < whole; t += lanes) {
        const T* value[lanes];
        for (int j = 0; j < lanes; ++j) value[j] = values + least(t + j, count - 1) * dh;
        for (std::int64_t g = 0; g < p.group; ++g) {
            const float* weight = s + g * stepPiece + t;
            float* to = o + g * (dh + 2);
            for (std::int64_t i = 0; i < dh; i += lanes) {
                V x = load(to + i);
                for (int j = 0; j < lanes; ++j) x += weight[j] * loadWide(value[j] + i);
                store(to + i, x);
            }
        }
    }
}

template <class T> void piece(const StepAttention& p, std::int64_t position, std::int64_t task, float* scratch)
{
    const auto keysNow = stepKeys(p, position), pieces = stepPieces(keysNow), part = task % pieces,
               pair = task / pieces;
    const auto dh = p.headWidth, text = pair / p.kvHeads, shared = pair % p.kvHeads, first = part * stepPiece;
    const auto count = least(stepPiece, keysNow - first);
    float *q = scratch, *s = q + p.group * dh, *o = s + p.group * stepPiece;
    auto *keys = static_cast<T*>(p.keys) + (pair * p.room + first) * dh,
         *values = static_cast<T*>(p.values) + (pair * p.room + first) * dh;
    const auto queryHeads = p.kvHeads * p.group;
    if (part == pieces - 1) {
        gather(p, position, text, queryHeads + shared, 1, true, q);
        for (std::int64_t i = 0; i < dh; ++i) assign(keys[(count - 1) * dh + i], q[i]);
        gather(p, position, text, queryHeads + p.kvHeads + shared, 1, false, q);
        for (std::int64_t i = 0; i < dh; ++i) assign(values[(count - 1) * dh + i], q[i]);
    }
    for (std::int64_t g = 0; g < p.group; ++g) {
        const auto head = shared * p.group + g;
        constexpr float mostTemperature = 100;
        float tau = p.temperature ? __builtin_expf(p.temperature[head]) : 1;
        if (tau > mostTemperature) tau = mostTemperature;
        gather(p, position, text, head, p.queryScale * tau, true, q + g * dh);
    }
    if (pieces > 1) return look(p, keys, values, count, q, s, p.parts + task * p.group * (dh + 2));
    look(p, keys, values, count, q, s, o);
    for (std::int64_t g = 0; g < p.group; ++g) {
        const float *from = o + g * (dh + 2), whole = 1 / from[dh];
        float* to = p.out + (shared * p.group + g) * dh * p.columns + text;
        for (std::int64_t i = 0; i < dh; ++i) to[i * p.columns] = from[i] * whole;
    }
}

} // namespace

void stepAttention(const StepAttention& p, std::int64_t position, std::int64_t task, float* scratch)
{
    if (p.narrow)
        piece<Bf16>(p, position, task, scratch);
    else
        piece<float>(p, position, task, scratch);
}

void stepJoin(const StepAttention& p, std::int64_t pieces, std::int64_t task)
{
    const auto dh = p.headWidth, row = dh + 2, heads = p.kvHeads * p.group, text = task / heads, head = task % heads;
    const auto shared = head / p.group, apart = p.group * row;
    const auto* from = p.parts + (text * p.kvHeads + shared) * pieces * apart + head % p.group * row;
    float top = from[dh + 1], total = 0;
    for (std::int64_t i = 1; i < pieces; ++i) top = from[i * apart + dh + 1] > top ? from[i * apart + dh + 1] : top;
    float* to = p.out + head * dh * p.columns + text;
    for (std::int64_t i = 0; i < dh; ++i) to[i * p.columns] = 0;
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
        const auto* own = from + piece * apart;
        const float weight = __builtin_expf(own[dh + 1] - top);
        total += weight * own[dh];
        for (std::int64_t i = 0; i < dh; ++i) to[i * p.columns] += weight * own[i];
    }
    for (std::int64_t i = 0; i < dh; ++i) to[i * p.columns] /= total;
}

} // namespace pha::cpu::PHA_CPU_LEVEL
