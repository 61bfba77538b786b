// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/posix_file.h"
#include "engine/data/corpus_card.h"
#include "engine/data/survey.h"
#include "engine/data/token_file.h"
#include "engine/data/tokenizer.h"

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace pha {

struct OpenedBins;

/// The folder in which a corpus grows until it is published, and what is known when it is left in the middle. One
/// process at a time has it.
class WorkFolder {
public:
    /// The text that a tokenizer is to learn from, kept until it has.
    static constexpr const char* sampleName = "sample.txt";

    /// Creates and locks `folder`; what another request (`identity`) left there is removed. With `wait` it waits for
    /// another process to end, else throws DataError. Throws IoError; Error when stopped.
    WorkFolder(std::filesystem::path folder, const Json& identity, bool wait, const std::stop_token& stop);

    const std::filesystem::path& path() const { return path_; }
    /// A part of the journal, null if it is not there.
    Json part(const char* name) const;
    void setPart(const char* name, Json value); ///< written at once, atomically
    /// Gives the folder its final name. False if something else has that name by now.
    bool publish(const std::filesystem::path& name);
    void discard() noexcept;

private:
    std::filesystem::path path_;
    PosixFile lock_;
    Json journal_;
};

/// The id of GPT-2's mark between documents, `<|endoftext|>`; -1 if the tokenizer has none.
std::int32_t documentMark(const Tokenizer& tokenizer);

/// Which of several ways of encoding texts a tokenizer's tokens come from; empty for the first, so that what was made
/// in it is known still. To be raised whenever the tokens of a text change, and part of every key of such tokens: of
/// caches, of work that goes on, and of the fingerprint of a corpus in which they did change.
std::string encodingVersion(const Tokenizer& tokenizer);

/// Where the documents of a split begin, in rows of tokens: beside the token files of texts that are all records, whose
/// blank lines are no ends. Of the sample, the validation and the test split.
inline constexpr std::array<const char*, 3> documentFiles { "sample.documents", "valid.documents", "test.documents" };

/// What has to be encoded.
struct EncodingTask {
    const std::vector<TextFile>& files;
    const Survey& survey;
    std::shared_ptr<const Tokenizer> tokenizer;
    CorpusCard card; ///< name, sources and the like
    int threads = 1;
};

/// A tokenizer's mark between documents, if it has one, stands after each of them, in place of the line ends that were
/// added (models.md 12.4); not in WikiText, which is one text (12.3). Encodes all documents on `threads` threads and
/// completes the folder: token files, tokenizer.model, corpus.json. Goes on where the journal says. Throws DataError,
/// IoError; Error when stopped, with the journal written.
CorpusCard encodeTexts(WorkFolder& work, EncodingTask task, EventSink& progress, const std::stop_token& stop);

/// Completes the folder with the tokens of another program, all of them checked and counted. Throws as above; stopped,
/// it begins anew the next time.
CorpusCard copyTokens(
    WorkFolder& work, const OpenedBins& bins, CorpusCard card, EventSink& progress, const std::stop_token& stop);
/// How a folder is completed.
struct Completion {
    EventSink& progress; ///< "checking the token files"
    const std::stop_token& stop;
    const char* afterStop; ///< what to do when it was stopped
};
/// Writes tokenizer.model and corpus.json, the last of the files. `files`: what was written, to be read once more and
/// sealed. Throws IoError; Error when stopped, with all rows as they were.
CorpusCard completeFolder(const WorkFolder& work, const std::vector<TokenFileWriter*>& files, CorpusCard card,
    const std::string& fingerprint, const Tokenizer& tokenizer, const Completion& how);

} // namespace pha
