// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/sweep.h"
#include "engine/engine.h"
#include "engine/run/sweep_state.h"

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace pha::cli {

class ProgressView;

/// Trains the runs of a plan one after another, in this process, and says on stderr how far it is. Other processes may
/// train runs of the same plan meanwhile.
class SweepRunner {
public:
    SweepRunner(const SweepPlan& plan, const std::vector<PlannedState>& states, fs::path folder);
    bool run(const std::stop_token& stop); ///< false: it was stopped before the last run had ended
    int failed() const { return failed_; }
    int diverged() const { return diverged_; }

private:
    void trainOne(std::size_t index, const std::stop_token& stop);
    void passOver(std::size_t index, const std::string& place, const PlannedState& state);
    std::optional<PlannedState> takenMeanwhile(std::size_t index, const PlannedState& before) const;
    RunState train(const TrainingRequest& request, ProgressView& view, const std::stop_token& stop, bool& opened);
    TrainingRequest requestFor(const PlannedRun& run, const PlannedState& state) const;
    double secondsAfter(std::size_t index, double secondsPerStep) const;
    void tag(const fs::path& directory);

    const SweepPlan& plan_;
    fs::path folder_;
    std::vector<double> ahead_; ///< work of each run that was still to be done when the sweep began
    std::vector<std::size_t> passedOver_; ///< as another process trains them; looked at again at the end
    bool stopped_ = false;
    int failed_ = 0, diverged_ = 0;
    double seconds_ = 0, work_ = 0; ///< of the runs that this process has trained from their beginning to their end
};

} // namespace pha::cli
