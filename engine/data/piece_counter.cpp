// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/piece_counter.h"

#include "engine/base/utf8.h"
#include "engine/data/encoding.h"

#include <utility>

namespace pha {

PieceCounter::PieceCounter(const Tokenizer& tokenizer)
    : shapes_(std::size_t(tokenizer.size()))
{
    if (tokenizer.kind() == Tokenizer::Kind::Ids) return;
    mark_ = documentMark(tokenizer);
    for (std::size_t id = 0; id < shapes_.size(); ++id) {
        if (std::int32_t(id) == mark_) continue;
        auto& shape = shapes_[id];
        const auto piece = tokenizer.piece(std::int32_t(id));
        shape.bytes = std::int32_t(piece.size());
        shape.blankFirst = !piece.empty() && isBlank(piece.front());
        for (const char c : piece) {
            shape.words += (c == '\n') + (shape.wordLast && isBlank(c));
            shape.wordLast = !isBlank(c);
            shape.lineLast = c != '\n';
        }
    }
}

bool PieceCounter::finish()
{
    const bool ended = std::exchange(inWord_, false);
    words_ += ended;
    return ended;
}

} // namespace pha
