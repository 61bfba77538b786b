// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

namespace pha {

inline constexpr std::string_view bytesModel = "pha-bytes 1\n"; ///< the whole model

/// Every byte is its own id.
std::unique_ptr<Tokenizer> byteTokenizer();

} // namespace pha
