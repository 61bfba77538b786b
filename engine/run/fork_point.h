// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/run_directory.h"

#include <optional>
#include <string>
#include <vector>

/// A fork: a new run that goes on from a checkpoint of another one, with other settings if wanted. The run that it
/// comes from stays as it is.
namespace pha {

/// The run that a fork comes from, as the fork's run.json keeps it under environment.parent.
struct RunParent {
    fs::path path; ///< its run directory, which may have gone since
    std::string name;
    std::int64_t step = 0;
    std::string text() const; ///< "pha-tiny-stories at step 100"
    Json toJson() const;
    /// Empty if the run is no fork, or says it in a way that this program does not know.
    static std::optional<RunParent> of(const RunFile& file);
};

/// Where a fork begins.
struct ForkPoint {
    RunParent parent;
    fs::path checkpoint;
    /// What the run would go on with: its settings as they stood then.
    RunConfig config;
};
/// The newest checkpoint of a run directory, or the checkpoint that is named. Reads run.json and state.json, no
/// weights. Throws CheckpointError.
ForkPoint readForkPoint(const fs::path& runOrCheckpoint);

/// Whether a fork may have another value of this field. Not those on which weights, moments or tokens depend.
bool freeInFork(const std::string& key);
bool prunesMore(const RunConfig& before, const RunConfig& after); ///< parts that were there are left out
bool readsOtherwise(const RunConfig& before, const RunConfig& after); ///< the same weights make another network
/// Throws ConfigError for the first field that a fork cannot have so, and for steps that are done already.
void checkFork(const ForkPoint& point, const RunConfig& fork);
/// Throws ConfigError for a place of skip_data that is new in `after` and lies within the updates that are done.
void checkSkips(const RunConfig& before, const RunConfig& after, std::int64_t done);
/// Fields whose values differ, in display order.
std::vector<std::string> changedFields(const RunConfig& before, const RunConfig& after);

} // namespace pha
