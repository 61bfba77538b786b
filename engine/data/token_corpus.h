// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"
#include "engine/data/corpus_card.h"
#include "engine/data/token_sequence.h"

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace pha {

/// What a corpus of token files consists of.
struct TokenCorpusParts {
    std::string name, description, fingerprint;
    std::shared_ptr<const Tokenizer> tokenizer;
    TokenSequence train; ///< of any size; stays on the disk
    std::array<Split, 3> splits; ///< a sample of train, valid, test; in memory
    std::array<std::int64_t, 3> totals {}; ///< tokens of the splits, also those that are not in memory
    std::optional<CorpusCard> card;
    bool undivided = false; ///< all of the text is the test split, and answers for the others
};
std::unique_ptr<Corpus> makeTokenCorpus(TokenCorpusParts parts);

/// A folder that `prepareCorpus` made. `shown`: the name for people. Files up to 1 GiB are checked against their
/// checksums. `undivided`: its text was too short for parts, the whole of it stands for each. `own`: sources, files and
/// repairs of the text, where another one of the same words may have made the folder. Throws DataError, also if
/// `tokenizer` (null: the corpus's own) is not the one it was prepared with.
std::unique_ptr<Corpus> openPrepared(const std::filesystem::path& folder, const std::string& shown,
    std::shared_ptr<const Tokenizer> tokenizer, bool check = true, bool undivided = false,
    const CorpusCard* own = nullptr);

} // namespace pha
