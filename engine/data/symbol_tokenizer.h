// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

namespace pha {

inline constexpr std::string_view symbolsMark =
    "pha-symbols 1\n"; ///< first line of a model; its names follow, one a line

std::string symbolModel(const std::vector<std::string>& names);
/// Words with blanks between them; what is no symbol counts as the first one, the blank. Throws DataError.
std::unique_ptr<Tokenizer> symbolTokenizer(std::string model, const std::string& where);

} // namespace pha
