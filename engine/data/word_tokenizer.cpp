// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/word_tokenizer.h"

#include "engine/base/utf8.h"

#include <algorithm>

namespace pha {

std::vector<std::int32_t> WordTokenizer::encode(std::string_view text) const
{
    std::vector<std::int32_t> ids;
    for (std::size_t at = 0; (at = text.find_first_not_of(blanks_, at)) != std::string_view::npos;) {
        const auto end = std::min(text.find_first_of(blanks_, at), text.size());
        ids.push_back(idOf(text.substr(at, end - at)));
        at = end;
    }
    return ids;
}

std::string WordTokenizer::decode(const std::vector<std::int32_t>& ids) const
{
    const auto text = Tokenizer::decode(ids);
    return text.substr(text.starts_with(' '));
}

std::string WordTokenizer::piece(std::int32_t id) const
{
    return id >= 0 && id < size() ? ' ' + wordOf(id) : std::string(replacementCharacter);
}

} // namespace pha
