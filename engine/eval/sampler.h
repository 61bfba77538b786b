// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/sampling.h"
#include "engine/eval/token_distribution.h"

#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace pha {

/// Draws a token: penalty, temperature, top-k, top-p, draw. The same seed and logits draw the same.
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
    std::pair<std::int64_t, double> draw(std::span<const float> logits, const std::vector<std::int64_t>& seen);

private:
    std::span<const float> penalised(std::span<const float> logits, const std::vector<std::int64_t>& seen);

    Sampling sampling_;
    TokenDistribution distribution_;
    std::vector<float> changed_; ///< logits
    std::mt19937_64 random_;
};

} // namespace pha
