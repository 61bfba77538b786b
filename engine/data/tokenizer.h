// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/utf8.h"
#include "engine/events.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

struct DataConfig;

/// What to train.
struct TokenizerRecipe {
    TokenizerRecipe(std::int64_t pieces, std::string type = "unigram", bool fallback = true) // NOLINT: a size is one
        : size(pieces)
        , kind(std::move(type))
        , byteFallback(fallback)
    {
    }
    TokenizerRecipe(const DataConfig& config); // NOLINT: so is a configuration

    std::int64_t size; ///< pieces at most; a small vocabulary gives fewer
    std::string kind; ///< unigram | bpe
    bool byteFallback; ///< characters without a piece are spelled as bytes, else unknown
};

/// Text to ids and back. Our own sentencepiece models, GPT-2's and raw bytes lose nothing: decode(encode(text)) == text
/// for any bytes. Foreign sentencepiece models may normalise; symbols know the words of a synthetic task only,
/// characters those of the text that they were taken from, and ids are numbers without a text.
class Tokenizer {
public:
    enum class Kind { SentencePiece, Gpt2, Bytes, Symbols, Ids, Characters };

    virtual ~Tokenizer() = default;
    virtual Kind kind() const = 0;
    virtual std::string description() const = 0; ///< "sentencepiece unigram, 1024 pieces"
    virtual std::int64_t size() const = 0;
    virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
    /// Bytes of the tokens; ids outside [0, size) give U+FFFD.
    virtual std::string decode(const std::vector<std::int32_t>& ids) const;
    /// Bytes that one token adds in the middle of a text (a space where its piece begins a word).
    virtual std::string piece(std::int32_t id) const = 0;
    virtual const std::string& model() const = 0; ///< what `fromModel` reads, as it stands in tokenizer.model
    virtual std::string fingerprint() const = 0; ///< SHA-256 of model(), hex

    /// Trains a sentencepiece model on `text` (several MB are plenty). Deterministic. Reports progress; throws
    /// DataError if `text` or the size of the recipe is too small, and Error when `stop` was requested.
    static std::unique_ptr<Tokenizer> train(
        const std::string& text, const TokenizerRecipe& recipe, EventSink& progress, const std::stop_token& stop);
    /// The words of a synthetic task, the first of them the blank.
    static std::unique_ptr<Tokenizer> symbols(const std::vector<std::string>& names);
    /// Any kind, told apart by its content. Checks a sentencepiece model before the library sees it (size, pieces,
    /// scores, normaliser): foreign files must not crash the program. Throws DataError.
    static std::unique_ptr<Tokenizer> fromModel(std::string model, const std::string& where);
    /// A file (tokenizer.model, llm.c's gpt2_tokenizer.bin, nanoGPT's meta.pkl), or a folder with one of these or with
    /// GPT-2's vocab.json and merges.txt. Throws DataError.
    static std::unique_ptr<Tokenizer> load(const std::filesystem::path& path);
    /// The tokenizer in `folder`; null if there is none.
    static std::unique_ptr<Tokenizer> findIn(const std::filesystem::path& folder);
    /// The tokenizer that `config` names, null if one has to be trained. Throws ConfigError, DataError.
    static std::shared_ptr<const Tokenizer> given(const DataConfig& config);
};

} // namespace pha
