// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/sweep.h"
#include "engine/run/course.h"
#include "engine/run/run_overview.h"

#include <filesystem>
#include <string>
#include <vector>

namespace pha {

/// What is still to be done of a planned run. A sweep keeps no list of its own: the runs themselves say how far it is,
/// so nothing is trained twice, whatever ended the process that trained them.
struct PlannedState {
    enum class Todo {
        Begin, ///< there is no such run
        GoOn, ///< it was stopped, was interrupted or failed; if all its steps are saved, only to say its end
        Nothing, ///< it has finished, or diverged, which it would again
        Busy, ///< another process trains it
    };
    Todo todo = Todo::Begin;
    RunOverview run; ///< if there is one
    std::int64_t saved = 0; ///< step of its newest checkpoint, which it goes on from; 0: it begins anew
    std::vector<SettingChange> changes; ///< by hand, since it began as it is planned
};

/// Settings that make another run of what is planned. The vocabulary is the tokenizer's, which settles when the run
/// starts.
std::vector<std::string> otherSettings(const RunConfig& planned, const RunConfig& stored);

/// Throws CheckpointError if the folder holds a run that began with other settings than are planned, or one that cannot
/// be read. What was changed by hand since is the user's business: that run is not trained anew, and goes on as it is.
PlannedState plannedState(const PlannedRun& planned, const std::filesystem::path& directory);

} // namespace pha
