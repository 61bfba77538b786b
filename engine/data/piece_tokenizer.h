// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"
#include "engine/data/tokenizer_model.h"

namespace pha {

/// A sentencepiece model that has been judged good. Throws DataError if the library cannot read it.
std::unique_ptr<Tokenizer> pieceTokenizer(std::string model, const TokenizerModel& scanned, const std::string& where);

} // namespace pha
