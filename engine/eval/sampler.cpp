// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/sampler.h"

#include "engine/base/error.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pha {

std::vector<double> probabilities(const std::vector<float>& logits)
{
    const auto values = torch::from_blob(const_cast<float*>(logits.data()), { std::int64_t(logits.size()) });
    const auto p = torch::softmax(values.to(torch::kDouble), 0);
    const auto* first = p.data_ptr<double>();
    if (logits.empty() || !std::isfinite(*first)) return std::vector<double>(logits.size(), 0);
    return { first, first + p.numel() };
}

std::vector<std::int32_t> largest(const std::vector<double>& values, std::size_t count)
{
    using Entry = std::pair<double, std::int32_t>;
    const auto before = [](const Entry& a, const Entry& b) {
        return a.first > b.first || (a.first == b.first && a.second < b.second);
    };
    std::vector<Entry> entries(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) entries[i] = { values[i], std::int32_t(i) };
    count = std::min(count, values.size());
    if (count > values.size() / 8) // where the heap of partial_sort is slower
        std::sort(entries.begin(), entries.end(), before);
    else
        std::partial_sort(entries.begin(), entries.begin() + std::ptrdiff_t(count), entries.end(), before);
    std::vector<std::int32_t> indices(count);
    for (std::size_t i = 0; i < count; ++i) indices[i] = entries[i].second;
    return indices;
}

std::vector<std::int32_t> Sampler::candidates(const std::vector<double>& p) const
{
    const auto limit = sampling_.topK > 0 ? std::min(std::size_t(sampling_.topK), p.size()) : p.size();
    if (sampling_.topP >= 1 && limit == p.size()) {
        std::vector<std::int32_t> all(p.size());
        std::iota(all.begin(), all.end(), 0);
        return all;
    }
    if (sampling_.topP >= 1) return largest(p, limit);
    // Few tokens hold most of it, as a rule; sorting a whole vocabulary takes longer than a step of a small model.
    for (auto count = std::min<std::size_t>(limit, 64);; count = std::min(limit, 64 * count)) {
        auto ranked = largest(p, count);
        double sum = 0;
        std::size_t n = 0;
        while (n < count && sum < sampling_.topP) sum += p[std::size_t(ranked[n++])];
        if (sum < sampling_.topP && count < limit) continue;
        ranked.resize(std::max<std::size_t>(1, n));
        return ranked;
    }
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

    const auto p = probabilities(logits);
    const auto kept = candidates(p);
    double total = 0;
    for (const auto id : kept) total += p[std::size_t(id)];
    double x = double(random_() >> 11) * 0x1p-53 * total; // uniform in [0, total), the same in every standard library
    auto drawn = best - logits.begin(); // rounding may leave nothing
    for (const auto id : kept) {
        x -= p[std::size_t(id)];
        if (x >= 0) continue;
        drawn = id;
        break;
    }
    return { drawn, p[std::size_t(drawn)] / total };
}

} // namespace pha
