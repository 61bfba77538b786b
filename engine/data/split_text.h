// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"

#include <string_view>
#include <vector>

namespace pha {

/// End of each token in bytes of `text`, of which `tokens` is the encoding. Exact for our own tokenizers; others may
/// change the text, then the last token still ends where the text does.
std::vector<std::size_t> tokenEnds(
    std::string_view text, const std::vector<std::int32_t>& tokens, const Tokenizer& tokenizer);

/// Appends the encoding of `text` to a split, with words and bytes going on from what is there. A word counts at the
/// token that holds its last byte; each line end counts as one word, also a missing one at the end of the text. Returns
/// the first token that `text` added to, and the ends of its tokens.
struct AppendedText {
    std::size_t firstToken = 0;
    std::vector<std::size_t> ends;
};
AppendedText appendText(Split& split, std::string_view text, const Tokenizer& tokenizer, bool last = true);

} // namespace pha
