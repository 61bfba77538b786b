// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"
#include "engine/events.h"
#include "engine/run/course.h"
#include "engine/run/fork_point.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace pha {

inline bool isTest(const EvalEvent& event) ///< of the plain model, as isValidation()
{
    return event.split == "test" && event.note.empty();
}

/// The share of what can be learnt of a text that has been: of the way from its unigrams to its floor, 0 to 1. Nothing
/// without a floor.
std::optional<double> gapClosed(const std::optional<ReferenceEvent>& references, const EvalEvent& eval);

/// What is said of a run when it stands beside others: `pha compare` and the window's table count with the same code.
/// Takes in events as they come, so that a table of runs that still train costs only their new rows.
class RunFigures {
public:
    RunFigures() = default;
    RunFigures(std::string runName, const RunConfig& runConfig);
    /// Reads run.json and the whole of metrics.jsonl. Throws CheckpointError if there is no run, DataError.
    static RunFigures read(const std::filesystem::path& folder);

    // In the order of their updates.
    void take(const StepEvent& event);
    void take(const EvalEvent& event); ///< only plain evaluations of the validation and the test split count
    void take(const CommandEvent& event); ///< only changes of settings count
    double tokensPerSecond() const { return faster_.empty() ? 0 : faster_.front(); } ///< median over the updates
    /// Over all updates whose power is known.
    std::optional<double> joulesPerToken() const
    {
        return meteredTokens_ > 0 ? std::optional(joules_ / meteredTokens_) : std::nullopt;
    }

    std::string name;
    RunConfig config;
    std::optional<RunParent> parent; ///< of a fork
    std::vector<SettingChange> changes; ///< of its settings, while it trained or between two processes
    ModelCosts costs; ///< empty where they cannot be counted yet
    std::optional<StepEvent> last; ///< the last update
    std::optional<EvalEvent> best; ///< the evaluation with the lowest cross entropy
    std::optional<std::int64_t> bestTokens; ///< trained on until then, if its update came right before it
    std::optional<EvalEvent> test; ///< the newest evaluation of the test split
    std::int64_t processBytes = 0, deviceBytes = 0; ///< largest seen
    std::int64_t badLines = 0; ///< damaged lines of metrics.jsonl, whose figures are not here

private:
    void addRate(double rate);

    /// Halves of the rates as heaps, the highest of one and the lowest of the other in front: tables of runs that train
    /// ask for the median again and again.
    std::vector<double> slower_, faster_;
    double joules_ = 0, meteredTokens_ = 0;
};

/// One row of a comparison.
struct ComparedFigure {
    enum class Kind { Count, Number, Rate, Bytes };
    std::string name; ///< "best perplexity"
    Kind kind = Kind::Number;
    int better = 0; ///< -1: less is better, +1: more is better, 0: neither
    std::optional<double> (*value)(const RunFigures& run) = nullptr; ///< nothing where it is not known
    bool rare = false; ///< shown only if some run knows it
};
const std::vector<ComparedFigure>& comparedFigures();
/// Without those that are rare and that none of these runs knows.
std::vector<const ComparedFigure*> figuresOf(const std::vector<const RunFigures*>& runs);

/// Keys of the configuration whose values are not the same in all runs, in display order.
std::vector<std::string> differingKeys(const std::vector<const RunFigures*>& runs);
/// A configuration value as a cell: texts without quotes.
std::string configText(const RunFigures& run, const std::string& key);

} // namespace pha
