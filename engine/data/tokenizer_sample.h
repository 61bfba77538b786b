// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pha {

/// What a tokenizer learns from: the lines of a text, or of 6 MiB spread evenly over a longer one, without what
/// encoding never hands to sentencepiece and with at most so many different characters; frequent words stand once more
/// in other company. Empty if nothing but blanks is left. The same for the same text.
std::vector<std::string> tokenizerSentences(const std::string& text, std::size_t mostCharacters);

} // namespace pha
