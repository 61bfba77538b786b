// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "engine/config/config.h"
#include "engine/events.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace pha::cli {

/// The last weights of a run could not be written. No stop signal excuses it: its exit codes say that they were.
class UnsavedError : public Error {
public:
    UnsavedError(const std::string& saveProblem, std::string advice)
        : Error("the weights of the last update are not saved: " + saveProblem, std::move(advice))
    {
    }
};

/// "12.5 % of the gap closed", of what gapClosed() says; `gap` is its name.
std::string gapText(double closed, const char* gap);

/// Shows on stderr what the engine reports: one live bar on a terminal, a plain line every ten seconds elsewhere, and
/// lines for evaluations, samples and checkpoints. With `json` the events also go to stdout, one document a line. Keeps
/// the last event of each kind for the summary. Used from one thread.
class ProgressView : public EventSink {
public:
    explicit ProgressView(bool json)
        : json_(json)
    {
    }
    ~ProgressView() override;
    void setSteps(std::int64_t steps) { steps_ = steps; }
    /// For one of several runs: "run 3 of 12", and the seconds that those after it will take, which may hang on those
    /// that an update of this one takes; not a number if that is not known.
    void setPlace(std::string place, std::function<double(double secondsPerStep)> secondsAfter);
    void publish(const Event& event) override;
    void clearBar();

    std::optional<StepEvent> firstStep, lastStep; ///< of this process
    std::optional<EvalEvent> lastEval; ///< of the validation split
    std::vector<EvalEvent> averages; ///< validation of averaged weights
    std::optional<MixingEvent> lastMixing;
    std::optional<SampleEvent> lastSample;
    std::optional<TimeEvent> lastTime;
    std::optional<ReferenceEvent> references;
    std::optional<StatusEvent> lastStatus;
    std::string saveProblem; ///< why the last checkpoint could not be written; empty if it was

private:
    using Clock = std::chrono::steady_clock;
    void show(const StepEvent& event);
    void show(const MixingEvent& event) { lastMixing = event; }
    void show(const EvalEvent& event);
    void show(const RecallEvent& event);
    void show(const HeadsEvent& event);
    void show(const TimeEvent& event) { lastTime = event; }
    void show(const SampleEvent& event);
    void show(const CheckpointEvent& event);
    void show(const StatusEvent& event);
    void show(const AlertEvent& event);
    void show(const CommandEvent& event);
    void show(const ReferenceEvent& event);
    void show(const ProgressEvent& event);

    std::string stepLine(const StepEvent& event) const;
    std::string wholeLeft(double left) const;
    std::string rate(const ProgressEvent& event) const;
    void line(const std::string& text);
    void bar(const std::string& text);
    bool due(Clock::duration interval); ///< true at most once an interval

    bool json_ = false, barShown_ = false, skipped_ = false; ///< skipped_: the last update
    std::int64_t steps_ = 0;
    std::string place_;
    std::function<double(double secondsPerStep)> secondsAfter_;
    Clock::time_point started_ = Clock::now(), shown_ {};
    std::string activity_; ///< what the last ProgressEvent was about
    Clock::time_point activityStart_ {};
    double activityFrom_ = 0; ///< what was done when it began
    double secondsPerStep_ = 0, stepSeconds_ = 0; ///< smoothed; active time at the last step
};

/// Mixing weights in per cent, one row a layer, with the average, under a heading; for a family without a mix what each
/// part writes. Empty if there is nothing to show.
std::string mixingTable(const std::vector<LayerMix>& layers);

} // namespace pha::cli
