// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"

#include <optional>
#include <vector>

namespace pha::ui {

/// Everything a run has reported, kept in full: columns for the updates (104 bytes a step), rows for the rest. Append
/// only; a reader remembers how many rows it has drawn and asks for the new ones. Only that of a recording also loses
/// rows at its end: what it gains after that is what it lost, so a reader takes back what it has drawn beyond the end,
/// and needs to know no more. GUI thread only.
struct RunHistory {
    // Updates, in order of step. Same length each; a loss that was not finite is NaN.
    std::vector<double> step, tokens, seconds, loss, learningRate, gradNorm, tokensPerSecond, processBytes, deviceBytes;
    std::vector<double> coresBusy, deviceUse, watts, celsius; ///< NaN where it is not known
    std::vector<MixingEvent> mixing;
    std::vector<EvalEvent> evals;
    std::vector<RecallEvent> recalls;
    std::vector<HeadsEvent> heads;
    std::vector<TimeEvent> times;
    std::vector<SampleEvent> samples;
    std::vector<CheckpointEvent> checkpoints;
    std::vector<CommandEvent> commands;
    std::vector<StatusEvent> statuses;
    std::vector<AlertEvent> alerts;
    std::optional<ReferenceEvent> references;
    std::int64_t skippedUpdates = 0; ///< updates that were not applied because something was not finite
    std::int64_t generation = 0; ///< changes when the history was cleared (the file was rewound): readers start over

    void append(const Event& event); ///< ProgressEvents are ignored
    void clear(); ///< and raises `generation`
    /// Becomes what `whole` was after so many updates, with all that was reported before the next one. What has been
    /// copied from it before stays: going on, or back, costs as much as lies between the two moments.
    void showMoment(const RunHistory& whole, std::size_t updates);
};

} // namespace pha::ui
