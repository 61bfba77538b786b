// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

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

/// A sentencepiece tokenizer. Lossless: decode(encode(text)) == text for any valid UTF-8, newlines and runs of spaces
/// included (identity normalisation, byte fallback).
class Tokenizer {
public:
    virtual ~Tokenizer() = default;
    virtual std::int64_t size() const = 0;
    virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
    /// Bytes of the tokens; ids outside [0, size) give U+FFFD.
    virtual std::string decode(const std::vector<std::int32_t>& ids) const = 0;
    /// Bytes that one token adds in the middle of a text (a space where its piece begins a word).
    virtual std::string piece(std::int32_t id) const = 0;
    virtual const std::string& model() const = 0; ///< serialised sentencepiece model
    virtual std::string fingerprint() const = 0; ///< SHA-256 of model(), hex

    /// Trains on `text` (several MB are plenty). Deterministic. Reports progress; throws DataError if `text` is too
    /// small for `size` pieces, and Error when `stop` was requested.
    static std::unique_ptr<Tokenizer> train(
        const std::string& text, std::int64_t size, EventSink& progress, std::stop_token stop);
    /// Checks the serialised model before sentencepiece sees it (size, pieces, scores, normaliser): foreign files must
    /// not crash the program. Throws DataError.
    static std::unique_ptr<Tokenizer> fromModel(std::string model, const std::string& where);
    static std::unique_ptr<Tokenizer> load(const std::filesystem::path& file);
};

/// Turns token bytes into whole UTF-8 while streaming: holds back the bytes of an unfinished character.
class TextDecoder {
public:
    std::string push(std::string_view bytes); ///< what can be shown now
    std::string flush(); ///< the rest; unfinished characters become U+FFFD

private:
    std::string held_;
};

/// Replaces invalid UTF-8 by U+FFFD and counts the repairs.
std::string repairUtf8(std::string_view bytes, std::int64_t& repairs);
bool validUtf8(std::string_view bytes);

} // namespace pha
