// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/gpt2_words.h"

#include "engine/base/utf8.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace pha {

namespace {

struct CodeRange {
    char32_t first, last;
};
#include "engine/data/unicode_ranges.inl"

enum class Class { Other, Letter, Number, Blank };

template <std::size_t size> bool contains(const CodeRange (&ranges)[size], char32_t code)
{
    const auto* range = std::lower_bound(
        std::begin(ranges), std::end(ranges), code, [](const CodeRange& r, char32_t c) { return r.last < c; });
    return range != std::end(ranges) && range->first <= code;
}

/// Property White_Space.
bool isBlank(char32_t code)
{
    return (code >= 9 && code <= 13) || code == 32 || code == 0x85 || code == 0xA0 || code == 0x1680
        || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F
        || code == 0x3000;
}

Class classify(char32_t code)
{
    if (isBlank(code)) return Class::Blank;
    if (contains(letters, code)) return Class::Letter;
    return contains(numbers, code) ? Class::Number : Class::Other;
}

struct Character {
    std::size_t length;
    Class type;
};

/// The character at the beginning of `text`, which is not empty.
Character characterAt(std::string_view text)
{
    static const auto ascii = [] {
        std::array<Class, 128> table {};
        for (std::size_t c = 0; c < table.size(); ++c) table[c] = classify(char32_t(c));
        return table;
    }();
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) return { 1, ascii[lead] };
    const auto step = stepUtf8(text);
    if (!step.valid) return { step.length, Class::Other };
    char32_t code = lead & (0xFFu >> (step.length + 1));
    for (std::size_t i = 1; i < step.length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
    return { step.length, classify(code) };
}

std::size_t contraction(std::string_view text)
{
    for (const std::string_view ending : { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" })
        if (text.starts_with(ending)) return ending.size();
    return 0;
}

/// End of the run of `type` that goes on at `at`.
std::size_t runEnd(std::string_view text, std::size_t at, Class type)
{
    while (at < text.size()) {
        const auto next = characterAt(text.substr(at));
        if (next.type != type) break;
        at += next.length;
    }
    return at;
}

/// Blanks before a word leave their last one to it, or by itself if it is not the space that a word takes along.
std::size_t blanksLength(std::string_view text)
{
    std::size_t end = 0, last = 0;
    while (end < text.size()) {
        const auto next = characterAt(text.substr(end));
        if (next.type != Class::Blank) return last > 0 ? last : end;
        last = end;
        end += next.length;
    }
    return end;
}

} // namespace

std::size_t gpt2WordLength(std::string_view text)
{
    if (text[0] == '\'')
        if (const auto length = contraction(text)) return length;
    const std::size_t space = text[0] == ' ' && text.size() > 1;
    const auto first = characterAt(text.substr(space));
    if (first.type == Class::Blank) return blanksLength(text);
    return runEnd(text, space + first.length, first.type);
}

} // namespace pha
