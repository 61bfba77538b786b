// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
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

} // namespace pha
