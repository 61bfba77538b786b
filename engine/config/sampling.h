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

} // namespace pha
