// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "engine/config/sampling.h"
#include "engine/eval/token_distribution.h"

#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace pha {

/// Numbers in [0, 1), the same in every standard library.
class Uniform {
public:
    explicit Uniform(std::uint64_t seed)
        : random_(seed)
    {
    }
    double operator()() { return double(random_() >> 11) * 0x1p-53; }

private:
    std::mt19937_64 random_;
};

Error brokenLogits(); ///< no token has a finite one

/// Draws a token: penalty, temperature, top-k, top-p, draw. The same seed and logits draw the same.
class Sampler {
public:
    explicit Sampler(const Sampling& sampling)
        : sampling_(sampling)
        , uniform_(sampling.seed)
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
    Uniform uniform_;
};

} // namespace pha
