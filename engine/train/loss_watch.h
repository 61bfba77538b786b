// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace pha {

/// Notices updates whose loss stands far above the last fifty: above their median, in deviations as the median distance
/// from it tells them. Neither knows much of a spike among them, nor of the fall at the beginning once it is over.
class LossWatch {
public:
    /// `smallest`: a deviation below it counts as it.
    explicit LossWatch(double smallest = 0.01)
        : smallest_(smallest)
    {
    }
    struct Spike {
        double median = 0, deviations = 0; ///< of the losses before; distance from it
    };
    /// This loss if it is a spike; once, until a loss is near the median again.
    std::optional<Spike> observe(double loss)
    {
        std::optional<Spike> found;
        if (recent_.size() == memory) {
            constexpr double ofNormal = 1.4826; // standard deviation over median distance
            const double usual = median(recent_);
            auto distances = recent_;
            for (auto& x : distances) x = std::abs(x - usual);
            const double z = (loss - usual) / std::max(ofNormal * median(distances), smallest_);
            if (z > limit && !inSpike_) found = Spike { usual, z };
            inSpike_ = z > limit || (inSpike_ && z > limit / 2);
            recent_.erase(recent_.begin());
        }
        recent_.push_back(loss);
        return found;
    }

    /// Before observe(), while fifty losses are not yet known: the median so far if this loss is above `least`, which
    /// nothing that learns comes near, and twice that median; once, until one is not.
    std::optional<double> explodesEarly(double loss, double least)
    {
        if (recent_.empty() || recent_.size() == memory) return {};
        const double usual = median(recent_);
        const bool before = std::exchange(inSpike_, loss > std::max(least, 2 * usual));
        return inSpike_ && !before ? std::optional(usual) : std::nullopt;
    }

    /// Before observe(): whether this is the fiftieth loss in a row above three times the median of those before them,
    /// and above `least`. Such a course does not come back.
    bool diverges(double loss, double least)
    {
        if (recent_.empty()) return false;
        if (above_ == 0) before_ = median(recent_);
        above_ = loss > std::max(3 * before_, least) ? above_ + 1 : 0;
        return above_ >= memory;
    }

    Json state() const
    {
        return { { "recent", recent_ }, { "in_spike", inSpike_ }, { "above", above_ }, { "before", before_ } };
    }
    /// An older checkpoint has no such state: the watch begins anew.
    void restore(const Json& state)
    {
        if (!state.is_object() || !state.contains("recent")) return;
        recent_ = state.at("recent").get<std::vector<double>>();
        if (recent_.size() > memory) recent_.resize(memory);
        inSpike_ = state.at("in_spike").get<bool>();
        above_ = state.value("above", std::size_t(0));
        before_ = state.value("before", 0.0);
    }

private:
    static constexpr double limit = 8; ///< where tails are long, six come by themselves
    static constexpr std::size_t memory = 50;
    static double median(std::vector<double> values)
    {
        const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
        std::nth_element(values.begin(), middle, values.end());
        return *middle;
    }

    double smallest_;
    std::vector<double> recent_;
    bool inSpike_ = false;
    std::size_t above_ = 0; ///< losses in a row up to the last one
    double before_ = 0; ///< median of those before them
};

/// Whether the loss before the first update is not what a network that knows nothing has: ln V, the same for every
/// token. Above it weights begin too large, below it the network sees what it is asked for.
inline bool farFromUniform(double loss, std::int64_t vocabulary)
{
    constexpr double far = 1; // nat; every family and task here begins within 0.1
    return std::abs(loss - std::log(double(vocabulary))) > far;
}

} // namespace pha
