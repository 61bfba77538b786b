// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"
#include "engine/data/token_sequence.h"

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pha {

/// nanoGPT's and llm.c's token files: the shards of train, valid and test in their order.
struct TokenBins {
    std::array<std::vector<std::filesystem::path>, 3> files;
    std::filesystem::path folder; ///< where a tokenizer may lie
};

/// What `path` means if it is a .bin file (with its like for the other splits beside it), or a folder with train.bin or
/// *_train.bin or *_train_000001.bin and on; else null. Throws DataError for a folder with several such corpora.
std::optional<TokenBins> findTokenBins(const std::filesystem::path& path);

/// The one beside the files; else the tokens are numbers that spell nothing, as many as the configuration says. Throws
/// ConfigError if the configuration names another kind.
std::shared_ptr<const Tokenizer> tokenizerOfBins(const TokenBins& bins, const DataConfig& config);

/// Them opened. Without a validation file the end of the training tokens validates.
struct OpenedBins {
    std::array<TokenSequence, 3> splits;
    std::shared_ptr<const Tokenizer> tokenizer;
    std::string name, description, fingerprint;
};
/// `validShare`, `testShare`: of the training tokens, where no files are given; negative: a twentieth that validates,
/// at most a million tokens, and no test. Without `tokenizer` one is looked for beside the files; if there is none the
/// tokens are `vocab_size` numbers without a text, and only tokens can be counted. Throws DataError, ConfigError.
OpenedBins openBins(const TokenBins& bins, const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer,
    double validShare = -1, double testShare = -1);
/// To train on as they lie there. Throws as above.
std::unique_ptr<Corpus> openTokenBins(
    const TokenBins& bins, const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer);

/// Throws DataError naming `where` unless all of them are the tokenizer's.
void checkIds(std::span<const std::int32_t> ids, const Tokenizer& tokenizer, const std::string& where);

inline constexpr std::uint64_t evaluatedBinTokens = std::uint64_t(1) << 23; ///< of a split that is held in memory
inline constexpr std::uint64_t sampledBinTokens = std::uint64_t(1) << 18; ///< of train that can be evaluated

} // namespace pha
