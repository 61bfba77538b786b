// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/unknown_note.h"

#include "engine/base/text.h"
#include "engine/data/tokenizer.h"

#include <algorithm>
#include <sstream>

namespace pha {

namespace {

/// Words are read as the first one if they are not there.
std::int64_t unknownWords(const std::string& first, std::string text, const std::vector<std::int64_t>& ids)
{
    auto unknown = std::int64_t(std::count(ids.begin(), ids.end(), 0));
    std::replace(text.begin(), text.end(), ',', ' '); // stands between numbers too
    std::istringstream words(text);
    for (std::string word; words >> word;) unknown -= word == first ? 1 : 0;
    return std::max<std::int64_t>(unknown, 0);
}

/// Each character is one token: what is read as another one was not there.
std::int64_t unknownCharacters(
    const Tokenizer& tokenizer, const std::string& text, const std::vector<std::int64_t>& ids, std::string& readAs)
{
    std::int64_t unknown = 0;
    std::size_t at = 0;
    for (const auto id : ids) {
        auto end = at + 1;
        while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
        const auto piece = tokenizer.piece(std::int32_t(id));
        if (text.compare(at, end - at, piece) != 0) ++unknown, readAs = piece;
        at = end;
    }
    return unknown;
}

} // namespace

std::string unknownNote(
    const Tokenizer& tokenizer, const std::string& text, const std::vector<std::int64_t>& ids, const std::string& what)
{
    const auto kind = tokenizer.kind();
    const bool characters = kind == Tokenizer::Kind::Characters;
    if (!characters && kind != Tokenizer::Kind::Symbols && kind != Tokenizer::Kind::Ids) return {};
    auto readAs = characters ? std::string() : std::string(trim(tokenizer.piece(0)));
    const auto unknown = characters ? unknownCharacters(tokenizer, text, ids, readAs) : unknownWords(readAs, text, ids);
    if (unknown == 0) return {};
    return std::to_string(unknown) + (characters ? " character" : " word") + (unknown == 1 ? "" : "s") + " of the "
        + what + (unknown == 1 ? " is" : " are") + " unknown to this model and read as " + inQuotes(readAs);
}

} // namespace pha
