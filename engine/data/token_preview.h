// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

#include <limits>

namespace pha {

/// A text as a tokenizer cuts it, for a view that colours the pieces.
struct TokenPreview {
    struct Piece {
        std::int32_t id = 0;
        std::size_t begin = 0, end = 0; ///< bytes of the text, half open
        std::string text; ///< whole characters as they are, parts of one as "<0xE2>"
    };
    std::vector<Piece> pieces;
    std::size_t tokens = 0, bytes = 0; ///< of the whole text, also where `pieces` stop early
    double bytesPerToken() const { return tokens > 0 ? double(bytes) / double(tokens) : 0; }
};

/// Any bytes; at most `most` pieces are described.
TokenPreview previewTokens(
    const Tokenizer& tokenizer, std::string_view text, std::size_t most = std::numeric_limits<std::size_t>::max());

/// Bytes of a token for a reader: characters as they are, what is no character as "<0xE2>".
std::string readablePiece(std::string_view bytes);

} // namespace pha
