// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"
#include "engine/data/tasks.h"

#include <filesystem>

namespace pha {

std::unique_ptr<Corpus> openStories(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer,
    EventSink& progress, const std::stop_token& stop);
/// A synthetic task. Throws DataError if `tokenizer` is given and not the task's own.
std::unique_ptr<Corpus> openTask(const Task& task, const std::shared_ptr<const Tokenizer>& tokenizer);
/// Text files, packed or not, or folders with them; a prepared corpus; a file of tokens. Throws DataError.
std::unique_ptr<Corpus> openText(const std::filesystem::path& path, const DataConfig& config,
    std::shared_ptr<const Tokenizer> tokenizer, EventSink& progress, const std::stop_token& stop);
/// The tokenizer that a new run on a prepared corpus or on tokens has: theirs, or `given`, which the configuration
/// names (null if it names none), for tokens of another program. Null for a text. Throws ConfigError if the
/// configuration asks for another tokenizer than a prepared corpus has, or for a kind that theirs is not; DataError.
std::shared_ptr<const Tokenizer> tokenizerOfTokens(
    const std::filesystem::path& path, const DataConfig& config, const std::shared_ptr<const Tokenizer>& given);
/// Throws ConfigError if `config` asks for a kind that has to be trained, and `own`, of the tokens at `where`, is of
/// another one.
void requireKind(const DataConfig& config, const Tokenizer& own, const std::filesystem::path& where);
/// The tokenizer that openText() would take without reading a text, null if it would train one.
std::shared_ptr<const Tokenizer> tokenizerOfText(const std::filesystem::path& path, const DataConfig& config);

/// Values of a batch source's saved state. Throws CheckpointError if `key` is absent or not an integer from 0 to
/// `most`.
std::int64_t stateInteger(const Json& state, const std::string& key, std::int64_t most);
/// Throws CheckpointError unless the state was saved by a source of this kind, shape and seed.
void checkState(const Json& state, const Json& expected);

/// Throws DataError if `tokenizer` (which may be null) knows no text: `data` is one.
void refuseNumbers(const std::string& data, const Tokenizer* tokenizer);

/// How far a batch source has come that goes through its examples epoch by epoch.
struct EpochPlace {
    std::int64_t epoch = 0, at = 0; ///< at: examples taken in this epoch
    Json save(Json identity, const char* key) const; ///< the identity with the place; `key` names `at`
    /// Throws CheckpointError unless a source with this identity saved it and `at` is at most `most`.
    static EpochPlace restored(const Json& state, const Json& identity, const char* key, std::int64_t most);
};

} // namespace pha
