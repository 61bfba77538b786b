// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"
#include "engine/data/corpus_card.h"
#include "engine/data/token_file.h"

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace pha {

/// What a corpus of token files consists of.
struct TokenCorpusParts {
    std::string name, description, fingerprint;
    std::shared_ptr<const Tokenizer> tokenizer;
    std::shared_ptr<const TokenFile> train; ///< of any size; stays on the disk
    std::array<Split, 3> splits; ///< a sample of train, valid, test; in memory
    std::optional<CorpusCard> card;
};
std::unique_ptr<Corpus> makeTokenCorpus(TokenCorpusParts parts);

/// A folder that `prepareCorpus` made. `shown`: the name for people. Files up to 1 GiB are checked against their
/// checksums. Throws DataError, also if `tokenizer` (null: the corpus's own) is not the one it was prepared with.
std::unique_ptr<Corpus> openPrepared(const std::filesystem::path& folder, const std::string& shown,
    std::shared_ptr<const Tokenizer> tokenizer, bool check = true);

/// nanoGPT's and llm.c's token files: `path` if its name ends in .bin, or the train.bin in that folder; else empty.
std::filesystem::path findTokenBin(const std::filesystem::path& path);
/// A validation file is looked for beside the training file, whose end validates if there is none. Without `tokenizer`
/// a tokenizer.model beside them is taken, else the tokens are `vocab_size` numbers without a text, and only tokens can
/// be counted. Throws DataError, ConfigError.
std::unique_ptr<Corpus> openTokenBin(
    const std::filesystem::path& file, const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer);

} // namespace pha
