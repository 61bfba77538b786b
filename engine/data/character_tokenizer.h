// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

namespace pha {

inline constexpr std::string_view charactersMark = "pha-characters 1\n"; ///< then a JSON array of the characters

/// One token a character, as nanoGPT's character models have. What is none of them is read as a space, or as token 0 if
/// there is no space. Throws DataError unless each is one character, and none stands twice.
std::unique_ptr<Tokenizer> characterTokenizer(std::vector<std::string> characters, const std::string& where);
std::unique_ptr<Tokenizer> readCharacterTokenizer(
    std::string_view model, const std::string& where); ///< throws DataError

} // namespace pha
