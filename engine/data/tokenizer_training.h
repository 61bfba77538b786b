// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

#include <cstdint>
#include <stop_token>
#include <string>

namespace pha {

/// Trains a sentencepiece model on a sample of `text`. Deterministic. Identity normalisation, newline as a piece of its
/// own; ids 0, 1, 2 are unknown, begin and end. Throws DataError if the size cannot hold the bytes or `text` has no
/// characters; Error when `stop` was requested.
std::string trainTokenizerModel(
    const std::string& text, const TokenizerRecipe& recipe, EventSink& progress, const std::stop_token& stop);

} // namespace pha
