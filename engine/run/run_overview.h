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

/// What the whole lines of a metrics file said last.
struct MetricsEnd {
    std::optional<StepEvent> step;
    std::optional<EvalEvent> eval; ///< of the validation split, as isValidation()
    std::optional<StatusEvent> status;
    std::int64_t size = 0; ///< bytes of those lines; 0: nothing is known
    std::string last; ///< of these bytes: they tell a rewritten file from a grown one
};

/// Reads run.json, about.json and the end of metrics.jsonl, back to the last evaluation: some 0.2 ms, and a millisecond
/// for each megabyte of steps since then. `known`, kept from one look to the next, has only what was added searched.
/// Never throws: a run that cannot be read is one that says so.
RunOverview readOverview(const fs::path& directory, MetricsEnd* known = nullptr);
/// Whether the run has finished or diverged, by its own word. A process may die right before it says so.
bool saidItsEnd(const fs::path& directory);
/// The run directories right below a folder, in the order of their names, with folders that are closed to us: these may
/// be some. Throws DataError if it cannot be read.
std::vector<fs::path> runsIn(const fs::path& folder);
/// "finished", "interrupted": a word for the state, the same in searches, lists and JSON.
std::string stateWord(RunState state, bool interrupted);

} // namespace pha
