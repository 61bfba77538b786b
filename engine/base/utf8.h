// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pha {

inline constexpr std::string_view replacementCharacter = "\xEF\xBF\xBD";

/// What stands between words: ASCII's blanks and line ends.
inline bool isBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// What stands at the beginning of some bytes.
struct Utf8Step {
    std::size_t length = 1; ///< bytes of the character, or of the invalid run that one U+FFFD replaces
    bool valid = false;
    bool unfinished = false; ///< invalid only because the bytes end here
};
/// `bytes` must not be empty. Overlong forms, surrogates and values beyond U+10FFFF are invalid.
Utf8Step stepUtf8(std::string_view bytes);

/// Replaces invalid UTF-8 by U+FFFD and counts the repairs.
std::string repairUtf8(std::string_view bytes, std::int64_t& repairs);
bool validUtf8(std::string_view bytes);

/// Turns token bytes into whole UTF-8 while streaming: holds back the bytes of an unfinished character.
class TextDecoder {
public:
    std::string push(std::string_view bytes); ///< what can be shown now
    std::string flush(); ///< the rest; unfinished characters become U+FFFD

private:
    std::string held_;
};

} // namespace pha
