// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"

#include <cstdint>
#include <span>

namespace pha {

/// What counting alone reaches: counted on `train`, scored on `valid` (every token but the first), nats per token.
/// Unigram: add-one counts. Bigram: absolute discounting with Kneser-Ney's lower order; the discount and the kind of
/// lower order are tuned on the last tenth of `train`. `floor` is left empty.
ReferenceEvent countReferences(
    std::span<const std::int32_t> train, std::span<const std::int32_t> valid, std::int64_t vocabulary);

} // namespace pha
