// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cpu/kernels.h"

#include <cstdint>
#include <span>
#include <vector>

namespace pha {

/// What logits are multiplied by: 1 / temperature, but finite, so that the largest logit stays exp(0).
float scaleOf(double temperature);

/// What a row of logits (V) says about the next token: its softmax, in fp32 with sums in double. A NaN counts as -inf.
/// A token whose probability is below e^-87 of the largest has none. Of equal tokens the first ranks higher.
class TokenDistribution {
public:
    /// Forgets what it knew; `temperature` > 0.
    void read(std::span<const float> logits, double temperature = 1);

    bool empty() const { return !(total_ > 0); } ///< no token has a finite logit, or one has an infinite one
    double probability(std::int64_t id) const { return empty() ? 0 : double(weights_[std::size_t(id)]) / total_; }
    double share(const std::vector<std::int32_t>& ids) const; ///< of all probability
    double entropy() const; ///< nats; of temperature 1

    std::vector<std::int32_t> largest(std::size_t count) const; ///< the largest first
    /// The fewest of the largest tokens that have `share` of all together, at most `most` of them; ascending.
    std::vector<std::int32_t> head(std::size_t most, double share) const;
    /// The token at which the running sum of all probabilities, or of those in `kept`, passes `x`.
    std::int32_t at(double x) const;
    std::int32_t at(double x, const std::vector<std::int32_t>& kept) const;

private:
    std::vector<std::int32_t> atLeast(float weight) const; ///< ascending
    float boundOf(std::size_t count) const; ///< a weight that at least `count` tokens reach
    template <class IdOf> std::int32_t passes(double x, std::size_t count, const IdOf& idOf) const;
    bool before(std::int32_t a, std::int32_t b) const;

    std::vector<float> weights_;
    std::vector<cpu::SoftmaxRow::Block> blocks_;
    double total_ = 0, product_ = 0;
};

} // namespace pha
