// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace pha {

/// How a token is drawn from the logits. Order of operations: repetition penalty, temperature, top-k, top-p, draw.
struct Sampling {
    std::int64_t maxTokens = 200;
    double temperature = 0.8; ///< 0 = always the most probable token
    std::int64_t topK = 0; ///< 0 = off
    double topP = 1; ///< 1 = off
    double repetitionPenalty = 1; ///< 1 = off; divides positive and multiplies negative logits of seen tokens
    std::uint64_t seed = 1;
    /// Throws ConfigError.
    void validate() const;
};

/// How many tokens of a prompt are read: all, or if they are more than the learned positions the last ones, so that
/// the text that is wanted has room after them, but no fewer than half of the positions.
std::int64_t tokensOfPrompt(std::int64_t prompt, std::int64_t positions, std::int64_t wanted);

} // namespace pha
