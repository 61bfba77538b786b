// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/pha/command.h"

#include "engine/engine.h"

#include <string>
#include <vector>

namespace pha::cli {

/// The options of `pha train` as typed; the list of fields checks those that are fields.
struct TrainOptions {
    std::string preset, data, run, resume, name, configFile, initFrom, convertFrom, fork;
    std::string steps, device, precision, threads, seed;
    std::vector<std::string> sets;
    bool json = false, dryRun = false, helpFields = false;
};

/// A new run, one that goes on if --resume was given, or a fork of one. Reads, and writes nothing. Throws ConfigError,
/// CheckpointError and, if options contradict each other, Error.
TrainingRequest trainingRequest(const TrainOptions& options, const CLI::App& command);

/// Throws DataError if the text that a run was trained on has moved away: `data` as it stands in run.json.
void refuseIfDataIsGone(const std::string& data);

} // namespace pha::cli
