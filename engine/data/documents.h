// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"

#include <string>
#include <vector>

namespace pha {

/// A document of a split: from token `begin` to the next one's.
struct TextDocument {
    std::int64_t begin = 0;
    std::string title; ///< the heading, else the beginning of the first line
};

/// What a text says about its own form (models.md 12.3).
struct TextForm {
    std::string name; ///< "plain text", "WikiText, raw words" or "WikiText with <unk>"
    std::vector<TextDocument> documents; ///< never empty; the first begins at token 0
};

/// Reads the first `count` tokens of a split. Documents begin where the split knows them to, else behind the
/// tokenizer's mark between them (documentMark) where it separates some, else at WikiText's titles (" = Title = ")
/// where there are any, else after blank lines. A token that holds the end of one document and the start of the next
/// belongs to the first.
TextForm readTextForm(const Split& split, std::int64_t count, const Tokenizer& tokenizer);

} // namespace pha
