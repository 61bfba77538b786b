// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/sampling.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>

namespace pha {

namespace {

/// Written so that NaN, which compares false with everything, is refused.
void require(bool fine, const char* field, double value, const char* expectation)
{
    if (!fine) throw ConfigError(field, exactNumber(value), expectation);
}

} // namespace

void Sampling::validate() const
{
    require(maxTokens >= 0 && maxTokens <= 1000000, "max_tokens", double(maxTokens), "an integer from 0 to 1000000");
    require(temperature >= 0 && temperature <= 100, "temperature", temperature, "a number from 0 to 100");
    require(topK >= 0, "top_k", double(topK), "an integer of at least 0, where 0 turns it off");
    require(topP > 0 && topP <= 1, "top_p", topP, "a number above 0 and up to 1, where 1 turns it off");
    require(repetitionPenalty >= 0.01 && repetitionPenalty <= 100, "repetition_penalty", repetitionPenalty,
        "a number from 0.01 to 100, where 1 turns it off");
}

std::int64_t tokensOfPrompt(std::int64_t prompt, std::int64_t positions, std::int64_t wanted)
{
    if (prompt <= positions) return prompt;
    return std::clamp(positions - wanted + 1, (positions + 1) / 2, positions);
}

} // namespace pha
