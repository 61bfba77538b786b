// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/sampling.h"

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace pha {

/// Softmax in double of finite or -inf logits. All -inf gives all zeros.
std::vector<double> probabilities(const std::vector<float>& logits);

/// Indices of the `count` largest values (all, if there are no more), the largest first; of equal values the first.
std::vector<std::int32_t> largest(const std::vector<double>& values, std::size_t count);

/// Draws a token: penalty, temperature, top-k, top-p, draw; the same seed draws the same on every machine.
class Sampler {
public:
    explicit Sampler(const Sampling& sampling)
        : sampling_(sampling)
        , random_(sampling.seed)
    {
        sampling.validate();
    }
    /// -> token and its probability after all cuts. `seen` are the tokens of prompt and text so far. Throws Error if no
    /// token has a finite logit.
    std::pair<std::int64_t, double> draw(std::vector<float> logits, const std::vector<std::int64_t>& seen);

private:
    std::vector<std::int32_t> candidates(const std::vector<double>& p) const; ///< what top-k and top-p leave

    Sampling sampling_;
    std::mt19937_64 random_;
};

} // namespace pha
