// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/sampler.h"

#include "engine/base/error.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pha {

std::vector<double> probabilities(const std::vector<float>& logits)
{
    std::vector<double> p(logits.size(), 0);
    const float highest = *std::max_element(logits.begin(), logits.end());
    if (!std::isfinite(highest)) return p;
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i) sum += p[i] = std::exp(double(logits[i]) - double(highest));
    for (auto& x : p) x /= sum;
    return p;
}

std::pair<std::int64_t, double> Sampler::draw(std::vector<float> logits, const std::vector<std::int64_t>& seen)
{
    for (auto& z : logits)
        if (std::isnan(z)) z = -std::numeric_limits<float>::infinity();
    if (sampling_.repetitionPenalty != 1) {
        std::vector<bool> done(logits.size());
        for (const auto id : seen) {
            const auto i = std::size_t(id);
            if (id < 0 || i >= logits.size() || done[i]) continue;
            done[i] = true;
            logits[i] = float(
                logits[i] > 0 ? logits[i] / sampling_.repetitionPenalty : logits[i] * sampling_.repetitionPenalty);
        }
    }
    const auto best = std::max_element(logits.begin(), logits.end());
    if (!std::isfinite(*best))
        throw Error(
            "the model gives no token a finite probability", "its weights are broken; take an earlier checkpoint");
    if (sampling_.temperature == 0) return { best - logits.begin(), 1.0 };
    // Relative to the best logit, so that a tiny temperature gives 0 and -inf rather than overflow.
    const float highest = *best;
    for (auto& z : logits) z = float((double(z) - double(highest)) / sampling_.temperature);

    auto p = probabilities(logits);
    std::vector<std::int64_t> order(p.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return p[std::size_t(a)] > p[std::size_t(b)]; });
    auto kept = std::int64_t(order.size());
    if (sampling_.topK > 0) kept = std::min(kept, sampling_.topK);
    if (sampling_.topP < 1) {
        double sum = 0;
        std::int64_t n = 0;
        while (n < kept && sum < sampling_.topP) sum += p[std::size_t(order[std::size_t(n++)])];
        kept = std::max<std::int64_t>(1, n);
    }
    double total = 0;
    for (std::int64_t i = 0; i < kept; ++i) total += p[std::size_t(order[std::size_t(i)])];
    double x = double(random_() >> 11) * 0x1p-53 * total; // uniform in [0, total), the same in every standard library
    for (std::int64_t i = 0; i < kept; ++i) {
        const auto id = order[std::size_t(i)];
        x -= p[std::size_t(id)];
        if (x < 0 || i + 1 == kept) return { id, p[std::size_t(id)] / total };
    }
    return { order[0], 1.0 };
}

} // namespace pha
