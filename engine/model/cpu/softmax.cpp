// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/cpu/level.h"
#include "engine/model/cpu/simd.h"

namespace pha::cpu::PHA_CPU_LEVEL {

namespace {

constexpr float nothing = -__builtin_inff();

/// The last logits of a row, -inf behind them.
PHA_INLINE V loadLast(const float* p, std::int64_t count)
{
    V x = all(nothing);
    for (int i = 0; i < int(count); ++i) x[i] = p[i];
    return x;
}

PHA_INLINE float highestOf(const float* z, std::int64_t count)
{
    V top = all(nothing); // a NaN is larger than nothing
    overLanes(
        count, [&](std::int64_t i) { top = larger(load(z + i), top); },
        [&](std::int64_t i, std::int64_t rest) { top = larger(loadLast(z + i, rest), top); });
    return largest(top);
}

} // namespace

float softmaxRow(const SoftmaxRow& p)
{
    constexpr float smallest = -87; // exponential() stays there
    const float highest = highestOf(p.z, p.count);
    if (!(highest > nothing && highest < -nothing)) return highest;
    for (std::int64_t first = 0, block = 0; first < p.count; first += softmaxBlock, ++block) {
        const auto* z = p.z + first;
        auto* to = p.weights + first;
        V sums = all(0), products = all(0), tops = all(0);
        const auto weigh = [&](V logits) {
            const V below = logits - highest, x = below * p.scale;
            const V w = x > all(smallest) ? exponential(x) : all(0); // a NaN weighs nothing
            sums += w, tops = larger(w, tops);
            products += w > all(0) ? w * below : all(0);
            return w;
        };
        overLanes(
            least(softmaxBlock, p.count - first), [&](std::int64_t i) { store(to + i, weigh(load(z + i))); },
            [&](std::int64_t i, std::int64_t rest) { storeSome(to + i, weigh(loadLast(z + i, rest)), rest); });
        p.blocks[block] = { sum(sums), sum(products), largest(tops) };
    }
    return highest;
}

} // namespace pha::cpu::PHA_CPU_LEVEL
