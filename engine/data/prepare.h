// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"
#include "engine/data/corpus_card.h"
#include "engine/data/survey.h"
#include "engine/data/tokenizer.h"
#include "engine/events.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

/// Prepared corpora: a folder with corpus.json, tokenizer.model and token files (train.bin, valid.bin, test.bin,
/// sample.bin; documentFiles where they are known), made from texts of any size in bounded memory. Its path is a corpus
/// name.
namespace pha {

struct PrepareRequest {
    std::vector<std::filesystem::path> sources; ///< files and folders (findTexts), or one with tokens (findTokenBins)
    std::filesystem::path out; ///< the folder; must not exist
    std::shared_ptr<const Tokenizer> tokenizer; ///< null: trained on the texts as `config` says
    DataConfig config;
    SplitShares shares;
    int threads = 0; ///< 0: one a core
};

/// Long: reads everything once ("reading text"), trains the tokenizer, encodes on all cores ("encoding text"). Stopped
/// or killed, it leaves OUT.partial, and the same request goes on from there; the result is the same byte for byte.
/// Tokens of another program are checked, counted and copied.
/// Throws DataError, IoError; Error when stopped.
CorpusCard prepareCorpus(const PrepareRequest& request, EventSink& progress, const std::stop_token& stop);

/// True if the folder holds a corpus.json.
bool isPreparedCorpus(const std::filesystem::path& folder);
CorpusCard readCorpusCard(const std::filesystem::path& folder); ///< throws DataError

/// The beginning of some texts as the program reads them, to be shown before anything is started. Reads at most some
/// hundred kilobytes.
struct TextPreview {
    std::vector<std::string> lines; ///< valid UTF-8, each at most some hundred bytes
    std::string format; ///< "plain text", "JSON lines", "WikiText", "Parquet", "tokens, 65 characters"
    bool fields = false; ///< one field or column alone is the text
    std::int64_t files = 0, fileBytes = 0; ///< of all sources, as they lie on the disk
    std::vector<std::string> splits; ///< those that the files themselves give
    TextRepairs repairs; ///< of the part that was read
};
TextPreview previewTexts(const std::vector<std::filesystem::path>& sources, std::size_t lines = 12,
    const std::string& textField = usualTextField); ///< throws DataError

} // namespace pha
