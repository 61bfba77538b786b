// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace pha {

/// What had to be changed in a text, or was left out of it.
struct TextRepairs {
    std::int64_t invalidUtf8 = 0; ///< runs of bytes that became U+FFFD
    std::int64_t nulBytes = 0; ///< became U+FFFD
    std::int64_t lineEnds = 0; ///< "\r\n" and "\r" that became "\n"
    std::int64_t cutLines = 0; ///< cuts inside lines that were too long to be read whole
    std::int64_t badRecords = 0; ///< lines of JSON and rows without a text; left out
    std::int64_t longRecords = 0; ///< lines of JSON and rows with too much of it; left out
    std::int64_t duplicates = 0; ///< documents that had been read before; left out

    void add(const TextRepairs& other);
    bool any() const;
    std::string text() const; ///< "3 invalid characters replaced, 2 duplicates left out"; empty if there is nothing
    Json toJson() const;
    static TextRepairs fromJson(const Json& json);
};

struct SplitCard {
    std::int64_t documents = 0, tokens = 0, words = 0, bytes = 0; ///< bytes and words of the text, line ends as words
};

/// What is known about a prepared corpus: the content of its corpus.json.
struct CorpusCard {
    std::string name; ///< of its first source
    std::vector<std::string> sources;
    std::int64_t files = 0; ///< that were read
    std::string fingerprint; ///< SHA-256 over the documents and their splits
    std::string tokenizer; ///< SHA-256 of its model
    std::int64_t pieces = 0; ///< of the tokenizer
    std::array<SplitCard, 3> splits; ///< train, valid, test
    TextRepairs repairs;
    std::string note; ///< what else a user should know

    std::int64_t bytes() const; ///< of all splits
    std::int64_t tokens() const;
    std::int64_t documents() const;
    double bytesPerToken() const; ///< 0 without tokens
    Json toJson() const;
    static CorpusCard fromJson(const Json& json, const std::string& where); ///< throws DataError
};

inline constexpr std::array<const char*, 3> splitNames { "train", "valid", "test" };

} // namespace pha
