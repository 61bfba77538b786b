// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/hardware_meter.h"
#include "engine/run/run_overview.h"

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace pha {

/// Floating point operations that training spends on a token: the backward pass costs twice the forward pass.
double trainingFlopsPerToken(const RunConfig& config);
/// FLOPs per second that `tokensPerSecond` of training means for this model.
double trainingFlops(const RunConfig& config, double tokensPerSecond);

/// How far a run is after an update.
struct RunMoment {
    double step = 0, tokens = 0, seconds = 0; ///< as in the StepEvent
};
/// Tokens a second that one process has trained, by its first and its last update; 0: not known yet. Before it may lie
/// other processes, and the run that was forked, on another machine: the first update counts itself only where nothing
/// does.
double processRate(RunMoment first, const RunMoment& last);

/// How long runs will train, judged by what earlier ones below the same folder reached: those of this machine
/// before others, those of the same shape before those of the same family, then the newest. Evaluations, samples and
/// checkpoints come on top.
class TimeEstimate {
public:
    explicit TimeEstimate(const fs::path& runsFolder, const std::stop_token& stop = {}) { look(runsFolder, stop); }
    /// Again: reads only what has changed since the last look, and keeps the rate of a run that has not become twice as
    /// long since it was measured. A stop leaves out the runs that have not been looked at.
    void look(const fs::path& runsFolder, const std::stop_token& stop = {});

    struct Basis {
        std::string run; ///< its name
        bool sameShape = false; ///< else its rate is scaled by the operations of a token
        bool samePlace = true; ///< else run.json names another processor than this machine's
        double flopsPerSecond = 0;
        std::string text() const; ///< "the rate of rates-s1", "the rate of rates-s1, which has another shape"
    };
    /// Nothing if no run there has enough updates to measure by.
    std::optional<Basis> basis(const RunConfig& config);
    static double seconds(const Basis& basis, const RunConfig& config, double tokens);

private:
    struct Stamp {
        std::uintmax_t size = 0;
        fs::file_time_type metrics, run;
        bool operator==(const Stamp&) const = default;
    };
    struct Known {
        Stamp stamp;
        RunOverview run = {};
        MetricsEnd end = {}; ///< of what was added since only that is searched
        std::optional<double> rate = {}; ///< FLOPs per second, if it was read; 0: it says nothing
        std::int64_t measuredAt = 0; ///< its step then
    };
    static Stamp stampOf(const fs::path& directory);

    std::map<fs::path, Known> known_; ///< all runs of the folder
    std::string processor_ = processorName(); ///< of this machine
};

} // namespace pha
