// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/cpu/level.h"
#include "engine/model/cpu/simd.h"

namespace pha::cpu::PHA_CPU_LEVEL {

float softmaxRow(const SoftmaxRow& p)
{
    constexpr float infinity = __builtin_inff(), smallest = -87; // exponential() stays there
    const float highest = highestOf(p.z, p.count);
    if (!(highest > -infinity && highest < infinity)) return highest;
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
