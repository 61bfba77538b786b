// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

/// A serialised sentencepiece model, read and judged by our own bounded scanner: the library itself crashes on hostile
/// files (too long pieces, wrong offsets in the normaliser's trie, NUL in pieces).
struct TokenizerModel {
    enum class Type : std::uint8_t { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 };
    struct Piece {
        std::string_view text; ///< into the serialised model
        float score = 0;
        Type type = Type::Normal;
    };
    std::vector<Piece> pieces;
    int modelType = 1; ///< 1 unigram, 2 BPE, 3 word, 4 char
    bool byteFallback = false, whitespaceSuffix = false;
    bool addDummyPrefix = true, removeExtraWhitespaces = true, escapeWhitespaces = true;
    bool normalises = false; ///< has a character map

    /// Identity normalisation, all 256 bytes, and no piece with a space but at its beginning: then text can be cut
    /// before every space, the cuts change nothing, and every text comes back exactly.
    bool lossless() const;
};

/// Throws DataError naming `where` and the rule that `model` breaks. The result's pieces point into `model`.
TokenizerModel scanTokenizerModel(std::string_view model, const std::string& where);

/// Loads the model and encodes and decodes a probe with it in a child process with limits on memory and time.
/// Throws DataError if the child dies, fails or takes too long.
void tryTokenizerInChild(const std::string& model, const std::string& where);

/// Models with this SHA-256 were trained by this program and need no trial.
void trustTokenizer(const std::string& sha256);

inline constexpr std::string_view spaceMark = "\xE2\x96\x81"; ///< U+2581, a space inside pieces

} // namespace pha
