// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"
#include "engine/run/atomic_file.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pha {

class Sha256;

/// The tokens of a text corpus: training tokens as they lie in a mapped file (or in memory where no file can be
/// written), the evaluation splits whole.
struct TokenStore {
    std::span<const std::int32_t> train;
    Split trainSample, valid, test; ///< the sample is the beginning of the training tokens
    std::int64_t repairs = 0; ///< invalid characters that were replaced
    std::vector<std::int32_t> memory; ///< what `train` points to if there is no file
    std::shared_ptr<const void> mapping; ///< keeps the mapped file
};

/// The store in `file` if it belongs to this text and this tokenizer and its checksum holds; else null, whatever is
/// wrong. `check` false: the file has just been written.
std::unique_ptr<TokenStore> readTokenFile(
    const std::filesystem::path& file, const std::string& text, const std::string& tokenizer, bool check = true);

/// Takes training tokens as they are made. The file appears whole, with its checksum, when `finish` returns.
class TokenWriter {
public:
    explicit TokenWriter(const std::filesystem::path& file); ///< empty: keeps the tokens in memory; throws IoError
    ~TokenWriter();
    void add(const std::vector<std::int32_t>& tokens);
    std::unique_ptr<TokenStore> finish(TokenStore store, const std::string& text, const std::string& tokenizer);

private:
    void put(const void* data, std::size_t size);

    std::filesystem::path file_;
    std::optional<AtomicFile> out_;
    std::unique_ptr<Sha256> hash_;
    std::vector<std::int32_t> memory_;
    std::uint64_t count_ = 0;
};

} // namespace pha
