// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pha {

/// A byte pair encoding as GPT-2's files describe it.
struct Gpt2Tables {
    struct Merge {
        std::int32_t left = 0, right = 0, result = 0;
    };
    std::vector<std::string> pieces; ///< the bytes of each id
    std::vector<Merge> merges; ///< in the order in which they apply
    std::array<std::int32_t, 256> bytes {}; ///< ids of the single bytes
    std::vector<std::int32_t> marks; ///< ids such as <|endoftext|>, which no merge makes: they stand for themselves

    /// The tables as one file, the same for the same tables.
    std::string model() const;
};

/// Bytes as GPT-2's files and model() spell them.
std::string gpt2Letters(std::string_view bytes);

inline constexpr std::string_view gpt2Mark = "pha-gpt2 1\n"; ///< first line of a model

/// From `vocab.json` (encoder.json) and `merges.txt` (vocab.bpe). Throws DataError naming `where` and what is wrong.
Gpt2Tables readGpt2Files(std::string_view vocab, std::string_view merges, const std::string& where);
/// llm.c's gpt2_tokenizer.bin: the same tables as GPT-2's own files, although it holds no merges. Throws DataError.
Gpt2Tables readGpt2Bin(std::string_view bytes, const std::string& where);
bool looksLikeGpt2Bin(std::string_view bytes);
/// What model() wrote. Throws DataError.
Gpt2Tables readGpt2Model(std::string_view model, const std::string& where);

} // namespace pha
