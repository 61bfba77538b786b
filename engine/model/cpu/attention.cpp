// SPDX-License-Identifier: GPL-3.0-or-later
// Attention block by block of queries. Keys and values of a group of heads are laid out for the products once; scores
// of a block stay in the core's cache and are formed again in the backward pass.
#include "engine/model/cpu/level.h"
#include "engine/model/cpu/product.h"

namespace pha::cpu::PHA_CPU_LEVEL {

namespace {

constexpr std::int64_t blockQueries = 32;

/// Added to rows, so that those of a power of two do not share a few lines of the cache.
constexpr std::int64_t apart = 2 * lanes;

struct Shape {
    std::int64_t keys, width, group, blocks, offset; // keys and width as laid out
    explicit Shape(const Attention& p)
        : keys(wholeLanes(p.keys) + apart)
        , width(wholeLanes(p.headWidth))
        , group(p.queryHeads / p.kvHeads)
        , blocks((p.queries + blockQueries - 1) / blockQueries)
        , offset(p.keys - p.queries)
    {
    }
};

/// (count,d) rows `row` apart -> (count,width), zeros behind.
void packRows(const float* x, std::int64_t row, std::int64_t count, std::int64_t d, float* to, std::int64_t width)
{
    for (std::int64_t t = 0; t < count; ++t) {
        for (std::int64_t i = 0; i < d; ++i) to[t * width + i] = x[t * row + i];
        for (std::int64_t i = d; i < width; ++i) to[t * width + i] = 0;
    }
}

/// The same turned: (d, padded).
void packColumns(const float* x, std::int64_t row, std::int64_t count, std::int64_t d, float* to, std::int64_t padded)
{
    std::int64_t t = 0;
    for (; t + lanes <= count; t += lanes)
        for (std::int64_t i = 0; i < d; ++i) {
            const float* from = x + t * row + i;
            V v;
            for (int j = 0; j < lanes; ++j) v[j] = from[j * row];
            store(to + i * padded + t, v);
        }
    for (; t < padded; ++t)
        for (std::int64_t i = 0; i < d; ++i) to[i * padded + t] = t < count ? x[t * row + i] : 0;
}

/// Scores become exp(s - their largest); later keys 0. Returns the sum and gives the largest.
float expRow(float* s, std::int64_t seen, std::int64_t columns, float& top)
{
    const auto whole = wholeLanes(seen);
    for (auto i = seen; i < whole; ++i) s[i] = -1e30F;
    V high = load(s);
    for (std::int64_t i = lanes; i < whole; i += lanes) high = larger(high, load(s + i));
    top = largest(high);
    V total = all(0);
    for (std::int64_t i = 0; i < whole; i += lanes) {
        const V e = exponential(load(s + i) - top);
        total += e;
        store(s + i, e);
    }
    for (auto i = seen; i < columns; ++i) s[i] = 0;
    return sum(total);
}

/// Scores become p; dp becomes p (dp - delta).
void expRowBackward(float* s, float* dp, std::int64_t seen, std::int64_t columns, float lse, float delta)
{
    const auto whole = wholeLanes(seen);
    for (std::int64_t i = 0; i < whole; i += lanes) {
        const V p = exponential(load(s + i) - lse);
        store(s + i, p);
        store(dp + i, p * (load(dp + i) - delta));
    }
    for (auto i = seen; i < columns; ++i) s[i] = dp[i] = 0;
}

/// The groups [from, to) of heads for the single query of a text. Keys and values are read once, from front to back and
/// four tokens at a time: laying them out would cost more than it saves.
void oneQuery(const Attention& p, std::int64_t text, std::int64_t from, std::int64_t to, float* s) // (heads, columns)
{
    const auto dh = p.headWidth, whole = dh / lanes * lanes, group = p.queryHeads / p.kvHeads;
    const auto first = text * p.queryHeads + from * group, heads = (to - from) * group, columns = wholeLanes(p.keys);
    const float *q = p.q + text * p.qText + from * group * dh, *k = p.k + text * p.kText + from * dh,
                *v = p.v + text * p.vText + from * dh;
    float* o = p.out + first * dh;
    for (std::int64_t t = 0; t < columns; t += 4)
        for (std::int64_t head = 0; head < heads; ++head) {
            const float *own = q + head * dh, *key[4];
            V sums[4];
            for (int j = 0; j < 4; ++j) {
                key[j] = k + least(t + j, p.keys - 1) * p.kToken + head / group * dh; // the last again, to be cleared
                sums[j] = all(0);
            }
            for (std::int64_t d = 0; d < whole; d += lanes)
                for (int j = 0; j < 4; ++j) sums[j] += load(own + d) * load(key[j] + d);
            for (int j = 0; j < 4; ++j) {
                float score = sum(sums[j]);
                for (auto d = whole; d < dh; ++d) score += own[d] * key[j][d];
                s[head * columns + t + j] = score;
            }
        }
    for (std::int64_t head = 0; head < heads; ++head) {
        float top;
        const float total = expRow(s + head * columns, p.keys, columns, top);
        if (p.lse) p.lse[first + head] = top + __builtin_logf(total);
        for (std::int64_t t = 0; t < p.keys; ++t) s[head * columns + t] /= total;
    }
    for (std::int64_t i = 0; i < heads * dh; ++i) o[i] = 0;
    for (std::int64_t t = 0; t < columns; t += 4)
        for (std::int64_t head = 0; head < heads; ++head) {
            const float *weight = s + head * columns + t, *value[4];
            for (int j = 0; j < 4; ++j) value[j] = v + least(t + j, p.keys - 1) * p.vToken + head / group * dh;
            float* sums = o + head * dh;
            for (std::int64_t d = 0; d < whole; d += lanes) {
                V x = load(sums + d);
                for (int j = 0; j < 4; ++j) x += weight[j] * load(value[j] + d);
                store(sums + d, x);
            }
            for (auto d = whole; d < dh; ++d)
                for (int j = 0; j < 4; ++j) sums[d] += weight[j] * value[j][d];
        }
}

} // namespace

void attentionForward(const Attention& p, std::int64_t from, std::int64_t to, float* scratch)
{
    if (p.queries == 1) { // a task is a group of heads
        for (auto task = from; task < to;) {
            const auto text = task / p.kvHeads, end = least(to, (text + 1) * p.kvHeads);
            oneQuery(p, text, task % p.kvHeads, end - text * p.kvHeads, scratch);
            task = end;
        }
        return;
    }
    const Shape n(p);
    float *kt = scratch, *v = kt + p.headWidth * n.keys, *s = v + n.keys * n.width, *q = s + blockQueries * n.keys,
          *o = q + blockQueries * n.width;
    const auto outToken = p.queryHeads * p.headWidth;
    std::int64_t packed = -1;
    for (auto task = from; task < to; ++task) {
        // Early blocks see few keys, late ones many: in turn, so that any half of them is half of the work.
        const auto pair = task / n.blocks, i = task % n.blocks, block = i % 2 ? n.blocks - 1 - i / 2 : i / 2;
        const auto text = pair / p.kvHeads, shared = pair % p.kvHeads;
        if (pair != packed) {
            packColumns(p.k + text * p.kText + shared * p.headWidth, p.kToken, p.keys, p.headWidth, kt, n.keys);
            packRows(p.v + text * p.vText + shared * p.headWidth, p.vToken, p.keys, p.headWidth, v, n.width);
            packed = pair;
        }
        const auto first = block * blockQueries, count = least(blockQueries, p.queries - first);
        const auto seen = n.offset + first + count, columns = wholeLanes(seen);
        for (std::int64_t g = 0; g < n.group; ++g) {
            const auto head = shared * n.group + g;
            packRows(
                p.q + text * p.qText + first * p.qToken + head * p.headWidth, p.qToken, count, p.headWidth, q, n.width);
            product(count, columns, p.headWidth, { q, n.width, 1 }, { kt, n.keys }, s, n.keys);
            float sums[blockQueries];
            for (std::int64_t r = 0; r < count; ++r) {
                float top;
                sums[r] = expRow(s + r * n.keys, n.offset + first + r + 1, columns, top);
                if (p.lse) p.lse[(text * p.queryHeads + head) * p.queries + first + r] = top + __builtin_logf(sums[r]);
            }
            product(count, n.width, seen, { s, n.keys, 1 }, { v, n.width }, o, n.width);
            for (std::int64_t r = 0; r < count; ++r) {
                float* out = p.out + (text * p.queries + first + r) * outToken + head * p.headWidth;
                const float scale = 1 / sums[r];
                for (std::int64_t d = 0; d < p.headWidth; ++d) out[d] = o[r * n.width + d] * scale;
            }
        }
    }
}

void attentionBackward(const Attention& p, std::int64_t from, std::int64_t to, float* scratch)
{
    const Shape n(p);
    const auto square = n.keys * n.width, block = blockQueries * n.width, scores = blockQueries * n.keys;
    float *kt = scratch, *vt = kt + p.headWidth * n.keys, *k = vt + p.headWidth * n.keys, *dk = k + square,
          *dv = dk + square, *s = dv + square, *ds = s + scores, *q = ds + scores, *dout = q + block,
          *dq = dout + block;
    const auto token = p.queryHeads * p.headWidth, heads = n.group / p.parts;
    for (auto task = from; task < to; ++task) {
        const auto pair = task / p.parts, part = task % p.parts, text = pair / p.kvHeads, shared = pair % p.kvHeads;
        const float* keys = p.k + text * p.kText + shared * p.headWidth;
        packColumns(keys, p.kToken, p.keys, p.headWidth, kt, n.keys);
        packRows(keys, p.kToken, p.keys, p.headWidth, k, n.width);
        packColumns(p.v + text * p.vText + shared * p.headWidth, p.vToken, p.keys, p.headWidth, vt, n.keys);
        for (std::int64_t i = 0; i < square; ++i) dk[i] = dv[i] = 0;
        for (auto head = shared * n.group + part * heads; head < shared * n.group + (part + 1) * heads; ++head)
            for (std::int64_t first = 0; first < p.queries; first += blockQueries) {
                const auto count = least(blockQueries, p.queries - first);
                const auto seen = n.offset + first + count, columns = wholeLanes(seen);
                const auto at = (text * p.queries + first) * token + head * p.headWidth;
                packRows(p.q + text * p.qText + first * p.qToken + head * p.headWidth, p.qToken, count, p.headWidth, q,
                    n.width);
                packRows(p.dout + at, token, count, p.headWidth, dout, n.width);
                product(count, columns, p.headWidth, { q, n.width, 1 }, { kt, n.keys }, s, n.keys);
                product(count, columns, p.headWidth, { dout, n.width, 1 }, { vt, n.keys }, ds, n.keys);
                for (std::int64_t r = 0; r < count; ++r) {
                    float delta = 0;
                    const float *o = p.out + at + r * token, *d = p.dout + at + r * token;
                    for (std::int64_t j = 0; j < p.headWidth; ++j) delta += o[j] * d[j];
                    expRowBackward(s + r * n.keys, ds + r * n.keys, n.offset + first + r + 1, columns,
                        p.lse[(text * p.queryHeads + head) * p.queries + first + r], delta);
                }
                product(seen, n.width, count, { s, 1, n.keys }, { dout, n.width }, dv, n.width, true);
                product(seen, n.width, count, { ds, 1, n.keys }, { q, n.width }, dk, n.width, true);
                product(count, n.width, seen, { ds, n.keys, 1 }, { k, n.width }, dq, n.width);
                for (std::int64_t r = 0; r < count; ++r)
                    for (std::int64_t d = 0; d < p.headWidth; ++d) p.dq[at + r * token + d] = dq[r * n.width + d];
            }
        for (std::int64_t t = 0; t < p.keys; ++t) {
            const auto to0 = (((text * p.keys + t) * p.parts + part) * p.kvHeads + shared) * p.headWidth;
            for (std::int64_t d = 0; d < p.headWidth; ++d) {
                p.dk[to0 + d] = dk[t * n.width + d];
                p.dv[to0 + d] = dv[t * n.width + d];
            }
        }
    }
}

} // namespace pha::cpu::PHA_CPU_LEVEL
