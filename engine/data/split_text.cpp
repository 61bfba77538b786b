// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/split_text.h"

#include "engine/base/utf8.h"

#include <algorithm>

namespace pha {

std::vector<std::size_t> tokenEnds(
    std::string_view text, const std::vector<std::int32_t>& tokens, const Tokenizer& tokenizer)
{
    std::vector<std::size_t> ends;
    ends.reserve(tokens.size());
    std::size_t end = 0;
    for (const auto token : tokens) ends.push_back(end += tokenizer.piece(token).size());
    // Some models put a space before the text.
    const std::size_t extra = end == text.size() + 1 ? 1 : 0;
    for (auto& each : ends) each = std::min(each - std::min(each, extra), text.size());
    if (!ends.empty()) ends.back() = text.size();
    return ends;
}

AppendedText appendText(Split& split, std::string_view text, const Tokenizer& tokenizer, bool last)
{
    const auto tokens = tokenizer.encode(text);
    AppendedText added { split.tokens.size(), tokenEnds(text, tokens, tokenizer) };
    auto words = split.words.empty() ? 0 : split.words.back();
    const auto bytes = split.bytes.empty() ? 0 : split.bytes.back();
    std::size_t at = 0;
    for (const auto end : added.ends) {
        for (; at < end; ++at) {
            const bool blank = isBlank(text[at]);
            words += blank ? text[at] == '\n' : at + 1 == text.size() || isBlank(text[at + 1]);
        }
        split.words.push_back(words);
        split.bytes.push_back(bytes + std::int32_t(end));
    }
    if (last && !text.empty() && text.back() != '\n' && !split.words.empty()) ++split.words.back();
    split.tokens.insert(split.tokens.end(), tokens.begin(), tokens.end());
    return added;
}

} // namespace pha
