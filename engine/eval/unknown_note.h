// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pha {

class Tokenizer;

/// "2 words of the prompt are unknown to this model and read as "_"", with `what` for the prompt; empty if the
/// tokenizer has all of `text`, whose ids these are. Tokenizers of words and of characters have only those that they
/// were made of.
std::string unknownNote(
    const Tokenizer& tokenizer, const std::string& text, const std::vector<std::int64_t>& ids, const std::string& what);

} // namespace pha
