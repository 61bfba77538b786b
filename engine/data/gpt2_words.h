// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <string_view>

namespace pha {

/// Bytes of the word at the beginning of `text` (not empty) as GPT-2 cuts it, by the pattern
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+` (openai/gpt-2, encoder.py).
/// Invalid bytes count as neither blank, letter nor number.
std::size_t gpt2WordLength(std::string_view text);

} // namespace pha
