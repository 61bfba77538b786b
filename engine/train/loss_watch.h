// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

namespace pha {

/// Notices updates whose loss stands far above those before: a running mean and deviation over the last fifty or so
/// losses, into which a spike enters only up to the limit.
class LossWatch {
public:
    /// `smallest`: a deviation below it counts as it.
    explicit LossWatch(double smallest = 0.01)
        : smallest_(smallest)
    {
    }
    struct Spike {
        double mean = 0, deviations = 0; ///< of the losses before; distance from it
    };
    /// This loss if it is a spike; once, until a loss is near the mean again.
    std::optional<Spike> observe(double loss)
    {
        const double before = mean_;
        const double deviation = std::max(std::sqrt(variance_), smallest_), z = (loss - mean_) / deviation;
        const bool ready = seen_ >= warmUp;
        const double taken = ready ? std::min(loss, mean_ + limit * deviation) : loss;
        const double weight = 1 / double(std::min(++seen_, memory)), change = taken - mean_;
        mean_ += weight * change;
        variance_ = (1 - weight) * (variance_ + weight * change * change);
        const bool spike = ready && z > limit, fresh = spike && !inSpike_;
        inSpike_ = spike || (inSpike_ && z > limit / 2);
        return fresh ? std::optional(Spike { before, z }) : std::nullopt;
    }

    Json state() const
    {
        return { { "mean", mean_ }, { "variance", variance_ }, { "seen", seen_ }, { "in_spike", inSpike_ } };
    }
    /// An older checkpoint has no such state: the watch begins anew.
    void restore(const Json& state)
    {
        if (!state.is_object() || state.empty()) return;
        mean_ = state.at("mean").get<double>();
        variance_ = state.at("variance").get<double>();
        seen_ = state.at("seen").get<std::int64_t>();
        inSpike_ = state.at("in_spike").get<bool>();
    }

private:
    static constexpr double limit = 6;
    static constexpr std::int64_t warmUp = 100, memory = 50;
    double smallest_;
    double mean_ = 0, variance_ = 0;
    std::int64_t seen_ = 0;
    bool inSpike_ = false;
};

} // namespace pha
