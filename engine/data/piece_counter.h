// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

#include <vector>

namespace pha {

/// Words and bytes of a text of which only the tokens are there, as WikiText counts: runs between blanks, and one word
/// for each line end. A word belongs to the token that holds its last byte. Numbers without a text have neither.
class PieceCounter {
public:
    explicit PieceCounter(const Tokenizer& tokenizer);
    /// Takes the next token, which must be one of the tokenizer's. True if it shows that a word ended with the token
    /// before it; that word is counted in words() now, and belongs there.
    bool add(std::int32_t token)
    {
        const auto& shape = shapes_[std::size_t(token)];
        const bool ended = inWord_ && shape.blankFirst;
        words_ += shape.words + ended;
        bytes_ += shape.bytes;
        if (shape.bytes > 0) inWord_ = shape.wordLast;
        return ended;
    }
    /// The text ends here: true if a word ended with the last token.
    bool finish();
    std::int64_t words() const { return words_; }
    std::int64_t bytes() const { return bytes_; }

private:
    struct Shape {
        std::int32_t bytes = 0, words = 0; ///< words that end inside the piece, and line ends
        bool blankFirst = false, wordLast = false;
    };
    std::vector<Shape> shapes_; ///< of each piece
    std::int64_t words_ = 0, bytes_ = 0;
    bool inWord_ = false;
};

} // namespace pha
