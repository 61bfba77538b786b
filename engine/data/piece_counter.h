// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

#include <vector>

namespace pha {

/// Words and bytes of a text of which only the tokens are there, as WikiText counts: runs between blanks, and one word
/// for each line end. A word belongs to the token that holds its last byte. A mark between documents has no bytes and
/// ends word and line. Numbers without a text have neither.
class PieceCounter {
public:
    explicit PieceCounter(const Tokenizer& tokenizer);
    /// Takes the next token, which must be one of the tokenizer's. Returns how many words, and ends of lines, it shows
    /// to have ended with the token before it; they are counted in words() now, and belong there.
    std::int32_t add(std::int32_t token)
    {
        const auto& shape = shapes_[std::size_t(token)];
        std::int32_t ended = inWord_ && shape.blankFirst;
        if (token == mark_) {
            ended = std::int32_t(inWord_) + std::int32_t(inLine_);
            inWord_ = inLine_ = false;
        }
        words_ += shape.words + ended;
        bytes_ += shape.bytes;
        if (shape.bytes > 0) inWord_ = shape.wordLast, inLine_ = shape.lineLast;
        return ended;
    }
    /// The text ends here: true if a word ended with the last token.
    bool finish();
    std::int64_t words() const { return words_; }
    std::int64_t bytes() const { return bytes_; }

private:
    struct Shape {
        std::int32_t bytes = 0, words = 0; ///< words that end inside the piece, and line ends
        bool blankFirst = false, wordLast = false, lineLast = false; ///< lineLast: its line goes on
    };
    std::vector<Shape> shapes_; ///< of each piece
    std::int32_t mark_ = -1;
    std::int64_t words_ = 0, bytes_ = 0;
    bool inWord_ = false, inLine_ = false;
};

} // namespace pha
