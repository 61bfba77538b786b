// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/pha/command.h"

#include "engine/engine.h"

#include <memory>
#include <string>
#include <vector>

namespace pha {
class Tokenizer;
}

namespace pha::cli {

/// The options of `pha train` as typed; the list of fields checks those that are fields.
struct TrainOptions {
    std::string preset, data, run, resume, name, configFile, initFrom, convertFrom, fork, replay;
    std::string steps, device, devices, precision, threads, seed;
    std::vector<std::string> sets;
    std::int64_t nodes = 1; ///< computers that share the run, with this one
    std::string listen, key;
    bool json = false, dryRun = false, helpFields = false;
};

/// The options that say what is trained, which `pha train` and `pha sweep` share.
void addRecipeOptions(CLI::App& command, TrainOptions& options);

/// A new run, one that goes on if --resume was given, a fork of one, or a replay. Reads, and writes nothing. Throws
/// ConfigError, CheckpointError and, if options contradict each other, Error.
TrainingRequest trainingRequest(const TrainOptions& options, const CLI::App& command);

/// Settings of a new run, those of `more` on top of all options. Throws ConfigError.
RunConfig newConfig(const TrainOptions& options, const CLI::App& command, const std::vector<Setting>& more = {});

/// The tokenizer that a new run will have, null if it is still to be trained. Throws DataError if there are no such
/// data.
std::shared_ptr<const Tokenizer> plannedTokenizer(const TrainingRequest& request);
/// Vocabulary and context of a new run as they will be. False: the vocabulary is the largest that it can be, since a
/// tokenizer that is still to be trained has as many pieces as the text is good for.
bool settlePlanned(const TrainingRequest& request, RunConfig& config);

/// Without any checkpoint a run begins again, which is right if it was killed early, but not if all of them are
/// damaged. Throws CheckpointError.
void refuseIfAllDamaged(const fs::path& run);

/// A line on stderr for each of these fields of the data that changes nothing with it.
void noteIdleData(const DataConfig& data, const std::vector<std::string>& fields);

/// Throws DataError if the text that a run was trained on has moved away: `data` as it stands in run.json.
void refuseIfDataIsGone(const std::string& data);

} // namespace pha::cli
