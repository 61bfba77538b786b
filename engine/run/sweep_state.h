// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/sweep.h"
#include "engine/run/run_overview.h"

#include <filesystem>

namespace pha {

/// What is still to be done of a planned run. A sweep keeps no list of its own: the runs themselves say how far it is,
/// so nothing is trained twice, whatever ended the process that trained them.
struct PlannedState {
    enum class Todo {
        Begin, ///< there is no such run
        GoOn, ///< it was stopped, was interrupted or failed
        Nothing, ///< it has finished, or diverged, which it would again
        Busy, ///< another process trains it
    };
    Todo todo = Todo::Begin;
    RunOverview run; ///< if there is one
};

/// Throws CheckpointError if the folder holds a run with other settings than are planned, or one that cannot be read.
PlannedState plannedState(const PlannedRun& planned, const std::filesystem::path& directory);

} // namespace pha
