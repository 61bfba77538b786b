// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"

#include <cstdint>
#include <stop_token>
#include <string>

namespace pha {

/// Trains a unigram model of at most `size` pieces on a sample of `text`; a small vocabulary gives fewer.
/// Deterministic. Identity normalisation, byte fallback, newline as a piece of its own; ids 0, 1, 2 are unknown, begin
/// and end. Throws DataError if `size` cannot hold the bytes or `text` has no characters; Error when `stop` was
/// requested.
std::string trainTokenizerModel(
    const std::string& text, std::int64_t size, EventSink& progress, const std::stop_token& stop);

} // namespace pha
