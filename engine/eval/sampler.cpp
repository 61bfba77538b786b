// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/sampler.h"

namespace pha {

Error brokenLogits()
{
    return { "the model gives no token a finite probability", "its weights are broken; take an earlier checkpoint" };
}

std::span<const float> Sampler::penalised(std::span<const float> logits, const std::vector<std::int64_t>& seen)
{
    if (sampling_.repetitionPenalty == 1) return logits;
    changed_.assign(logits.begin(), logits.end());
    std::vector<bool> done(logits.size());
    for (const auto id : seen) {
        const auto i = std::size_t(id);
        if (id < 0 || i >= changed_.size() || done[i]) continue;
        done[i] = true;
        auto& z = changed_[i];
        z = float(z > 0 ? z / sampling_.repetitionPenalty : z * sampling_.repetitionPenalty);
    }
    return changed_;
}

std::pair<std::int64_t, double> Sampler::draw(std::span<const float> logits, const std::vector<std::int64_t>& seen)
{
    const bool greedy = sampling_.temperature == 0;
    auto& d = distribution_;
    d.read(penalised(logits, seen), greedy ? 1 : sampling_.temperature);
    if (d.empty()) throw brokenLogits();
    if (greedy) return { d.largest(1).front(), 1.0 };
    const double x = uniform_();
    if (sampling_.topK == 0 && sampling_.topP >= 1) {
        const auto id = d.at(x);
        return { id, d.probability(id) };
    }
    const auto kept = d.head(std::size_t(sampling_.topK), sampling_.topP);
    const double whole = d.share(kept);
    const auto id = d.at(x * whole, kept);
    return { id, d.probability(id) / whole };
}

} // namespace pha
