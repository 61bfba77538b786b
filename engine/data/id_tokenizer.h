// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

namespace pha {

inline constexpr std::string_view idsMark = "pha-ids 1\n"; ///< then the size of the vocabulary and a line's end

/// Numbers from 0 to `size` - 1 of which nobody has said what they spell: text is the numbers themselves, with spaces
/// between them. Words and bytes cannot be counted.
std::unique_ptr<Tokenizer> idTokenizer(std::int64_t size);
std::unique_ptr<Tokenizer> readIdTokenizer(std::string_view model, const std::string& where); ///< throws DataError

} // namespace pha
