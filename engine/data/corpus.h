// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/config/config.h"
#include "engine/data/corpus_card.h"
#include "engine/data/tokenizer.h"
#include "engine/events.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace pha {

/// Where a row of a batch begins in the training data, as its source counts.
struct DataPlace {
    std::int64_t epoch = 0, at = 0, offset = 0;
};

/// One micro-batch. Row-major (B,T); a target of -100 is not scored.
struct Batch {
    std::int64_t rows = 0, context = 0;
    std::vector<std::int64_t> ids, targets;
    std::vector<DataPlace> places; ///< of each row
};

/// An endless, deterministic, restorable stream of micro-batches.
class BatchSource {
public:
    virtual ~BatchSource() = default;
    virtual Batch next() = 0;
    /// "tokens 1024 to 1279 of the training text, epoch 1"
    virtual std::string words(const DataPlace& place) const = 0;
    /// Everything that decides the batches still to come; small.
    virtual Json state() const = 0;
    virtual void restore(const Json& state) = 0; ///< throws CheckpointError
};

/// One question in a text: the token that answers it, and how many words ago the fact was stated.
struct RecallProbe {
    std::int64_t index = 0; ///< token of the split that is the answer; in tasks, the one at which it is predicted
    std::int64_t distance = 0; ///< words since the fact was last stated
    double chance = 0; ///< 1 / number of possible answers
};

/// One evaluation split as tokens, with what figures need.
struct Split {
    std::string name; ///< "train", "valid", "test"
    std::vector<std::int32_t> tokens;
    std::vector<std::int32_t> targets; ///< tasks: what to predict at each token, -100 = nothing; empty: the next token
    std::int64_t example = 0; ///< tasks: tokens of one example, each a window of its own; 0: running text
    std::vector<float> nats; ///< -ln p of each token under the generator (0 inside a word), empty if unknown
    std::vector<std::int32_t> words, bytes; ///< cumulative: words and bytes that end at or before each token
    std::vector<RecallProbe> probes; ///< sorted by index
    std::vector<std::int32_t> documents; ///< the token at which each begins; empty if the text alone has to tell
};

/// A corpus with its tokenizer: where batches, splits and reference lines come from.
class Corpus {
public:
    virtual ~Corpus() = default;
    /// Opens built-in data or a text file; trains and caches the tokenizer when `tokenizer` is null. Long: reports
    /// progress. Throws DataError (unknown names list the known ones and the nearest), Error when stopped.
    static std::unique_ptr<Corpus> open(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer,
        EventSink& progress, const std::stop_token& stop);

    /// The tokenizer that open() would train or find in its cache, without encoding the text. Throws as open().
    static std::shared_ptr<const Tokenizer> trainTokenizer(
        const DataConfig& config, EventSink& progress, const std::stop_token& stop);

    /// The tokenizer of open() as far as it is known before a text is read: null if one would be trained. Throws as
    /// open() if there are no such data.
    static std::shared_ptr<const Tokenizer> knownTokenizer(const DataConfig& config);

    /// Whether a field of `config` changes anything with its data: task_length does with a task, text_field with a
    /// text. True for other fields, and if there are no such data.
    static bool fieldMatters(const DataConfig& config, const std::string& field);

    virtual std::shared_ptr<const Tokenizer> tokenizer() const = 0;
    virtual std::unique_ptr<BatchSource> batches(std::int64_t rows, std::int64_t context, std::int64_t seed) const = 0;
    /// Throws DataError for an unknown split.
    virtual const Split& split(const std::string& name) const = 0;
    /// Tokens of train (0), valid (1), test (2), also where split() has only the first of them, or refuses an empty
    /// one.
    virtual std::int64_t tokens(std::size_t split) const
    {
        return std::int64_t(this->split(splitNames[split]).tokens.size());
    }
    /// Uniform, unigram and bigram lines and the floor, on the validation split.
    virtual const ReferenceEvent& references() const = 0;
    virtual std::string samplePrompt() const = 0;
    virtual std::int64_t sampleTokens() const { return 80; } ///< that a sample during training writes
    virtual std::int64_t exampleLength() const { return 0; } ///< tasks: the context that batches must have; 0: any
    virtual std::string description() const = 0; ///< "stories 1, seed 1"
    virtual std::string fingerprint() const = 0; ///< changes when the text changes
    virtual const CorpusCard* card() const { return nullptr; } ///< counts and repairs, of texts
};

/// Names and one-line descriptions of the built-in corpora.
struct BuiltinCorpus {
    std::string name, summary;
};
const std::vector<BuiltinCorpus>& builtinCorpora();
bool isBuiltinCorpus(const std::string& data);

/// Names text and tokenizer, where they are files, by their whole paths: a run may be resumed from any folder.
void settleData(DataConfig& config);

} // namespace pha
