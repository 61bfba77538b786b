// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/sampling.h"
#include "engine/model/token_reader.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace pha {

/// A token as it was drawn.
struct WrittenToken {
    std::int64_t id = 0;
    double probability = 0; ///< after all cuts
    std::span<const float> logits; ///< (V) that it was drawn from; valid until the next one
    std::int64_t stateBytes = 0; ///< that drawing it needed
};

/// What a text goes on from. All but the numbers stays the caller's.
struct TextStart {
    TokenReader& read;
    const ModelState& state; ///< of `read`
    torch::Device device; ///< of the model
    Tensor logits; ///< (...,V) after the prompt, on any device
    Sampling sampling;
    std::vector<std::int64_t> prompt; ///< ids
    std::int64_t tokens = 0; ///< that are to be written
};

/// Draws tokens and reads them. The same start draws the same text on the same device.
class TokenWriter {
public:
    /// A card draws by itself where it can: it goes on while the processor describes what it has drawn.
    static std::unique_ptr<TokenWriter> make(const TextStart& start);
    virtual ~TokenWriter() = default;
    /// At most `tokens` times. Throws Error if no token has a finite logit.
    virtual WrittenToken next() = 0;
};

/// Null if this build, the card or the sampling has no such form.
std::unique_ptr<TokenWriter> cardWriter(const TextStart& start);

/// The memory of a row of fp32 numbers that a processor can read.
inline std::span<const float> numbers(const Tensor& row) { return { row.data_ptr<float>(), std::size_t(row.numel()) }; }

} // namespace pha
