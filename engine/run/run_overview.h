// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"
#include "engine/run/fork_point.h"
#include "engine/run/run_about.h"
#include "engine/run/run_filter.h"

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pha {

/// What a list of runs says of one of them: the window's and `pha runs` read it with the same code.
struct RunOverview {
    fs::path directory;
    std::string name, created;
    std::shared_ptr<const RunConfig> config; ///< null if run.json cannot be read
    std::optional<RunParent> parent; ///< of a fork
    std::string processor; ///< of the machine that began it; empty if run.json does not say
    std::string unknown; ///< settings of run.json that this program does not know
    RunAbout about;
    std::string aboutProblem; ///< why about.json cannot be read
    RunState state = RunState::Stopped;
    int holder = 0; ///< the process that trains it, 0: none
    bool interrupted = false; ///< its process ended without a word
    std::int64_t step = 0, steps = 0;
    double loss = std::numeric_limits<double>::quiet_NaN(), perplexity = loss, tokensPerSecond = loss;
    std::string detail; ///< why it ended so, or why run.json cannot be read

    RunFacts facts() const; ///< points into this
};

/// Reads run.json, about.json and the end of metrics.jsonl: some 0.2 ms, whatever the length of the run. Never throws:
/// a run that cannot be read is one that says so.
RunOverview readOverview(const fs::path& directory);
/// The run directories right below a folder, in the order of their names. Throws DataError if it cannot be read.
std::vector<fs::path> runsIn(const fs::path& folder);
/// "finished", "interrupted": a word for the state, the same in searches, lists and JSON.
std::string stateWord(RunState state, bool interrupted);

} // namespace pha
