// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/sweep_runner.h"

#include "app/pha/progress.h"
#include "app/pha/sweep_plan.h"
#include "app/pha/terminal.h"
#include "app/pha/train_request.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/run_about.h"

#include <fmt/format.h>

#include <exception>
#include <limits>
#include <utility>

namespace pha::cli {

namespace {

/// Floating point operations of one update, up to a factor that all runs share.
double workOfStep(const RunConfig& config)
{
    return modelCosts(config.model, config.training.context).forwardFlopsPerToken * config.training.totalTokens()
        / double(config.training.steps);
}

/// ", changed by hand: learning_rate 0.001 -> 0.0005 after step 120"
std::string changesText(const PlannedState& state)
{
    std::vector<std::string> all;
    for (const auto& change : state.changes) all.push_back(change.text());
    return all.empty() ? std::string() : ", changed by hand: " + oneLine(joinList(all));
}

double workOf(const RunConfig& config) { return workOfStep(config) * double(config.training.steps); }

double workAhead(const RunConfig& config, const PlannedState& state)
{
    return workOf(config) * tokensAhead(config, state) / config.training.totalTokens();
}

} // namespace

SweepRunner::SweepRunner(const SweepPlan& plan, const std::vector<PlannedState>& states, fs::path folder)
    : plan_(plan)
    , folder_(std::move(folder))
{
    for (std::size_t i = 0; i < plan.runs.size(); ++i) ahead_.push_back(workAhead(plan.runs[i].config, states[i]));
}

bool SweepRunner::run(const std::stop_token& stop)
{
    if (const auto info = loadEngine().info(); !info.warning.empty()) note("pha: warning: " + oneLine(info.warning));
    for (std::size_t i = 0; i < plan_.runs.size() && !stopped_; ++i) trainOne(i, stop);
    for (const auto i : std::exchange(passedOver_, {})) // ended by now, or left by who trained it
        if (!stopped_) trainOne(i, stop);
    for (const auto i : passedOver_)
        if (!stopped_)
            note("pha: note: another process still trains " + plan_.runs[i].name
                + "; the same command again says how it has ended");
    return !stopped_;
}

void SweepRunner::trainOne(std::size_t index, const std::stop_token& stop)
{
    const auto& run = plan_.runs[index];
    const auto place = fmt::format("run {} of {}", index + 1, plan_.runs.size());
    const auto started = std::chrono::steady_clock::now();
    ProgressView view(false);
    view.setPlace(place, [this, index](double secondsPerStep) { return secondsAfter(index, secondsPerStep); });
    view.setSteps(run.config.training.steps);
    ahead_[index] = 0;
    PlannedState state;
    bool opened = false;
    try {
        state = plannedState(run, folder_ / run.name); // others may have trained it meanwhile
        if (state.todo == PlannedState::Todo::Busy) return passOver(index, place, state);
        if (state.todo == PlannedState::Todo::Nothing) {
            note(fmt::format("{}, {}: {} already{}", place, run.name, stateWord(state.run.state, state.run.interrupted),
                changesText(state)));
            diverged_ += state.run.state == RunState::Diverged;
            return;
        }
        note(fmt::format("{}, {}{}{}", place, run.name,
            state.todo == PlannedState::Todo::GoOn ? ": " + goesOnText(state) : "", changesText(state)));
        const auto ended = train(requestFor(run, state), view, stop, opened);
        view.clearBar();
        if (!view.saveProblem.empty())
            throw UnsavedError(view.saveProblem, "make room on the disk, then give the same command");
        diverged_ += ended == RunState::Diverged;
        stopped_ = ended == RunState::Stopped;
        if (ended != RunState::Finished || state.todo != PlannedState::Todo::Begin) return;
        seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
        work_ += workOf(run.config);
    } catch (const std::exception& error) {
        if (stop.stop_requested() && dynamic_cast<const UnsavedError*>(&error)) throw;
        if (stop.stop_requested()) {
            stopped_ = true;
            return;
        }
        const std::string what = error.what();
        view.clearBar();
        if (const auto now = opened ? std::nullopt : takenMeanwhile(index, state)) return passOver(index, place, *now);
        note(fmt::format("pha: warning: {} failed: {}", run.name, oneLine(what.substr(0, what.find('\n')))));
        ++failed_;
    }
}

void SweepRunner::passOver(std::size_t index, const std::string& place, const PlannedState& state)
{
    const auto& name = plan_.runs[index].name;
    note(fmt::format("{}, {}: {}, passed over", place, name,
        state.run.holder != 0 ? fmt::format("process {} trains it", state.run.holder)
                              : "another process has begun it"));
    tag(folder_ / name); // who trains it may not have come to that
    passedOver_.push_back(index);
}

/// The run as it is now, if it could not be opened because another process was faster.
std::optional<PlannedState> SweepRunner::takenMeanwhile(std::size_t index, const PlannedState& before) const
{
    using Todo = PlannedState::Todo;
    try {
        auto now = plannedState(plan_.runs[index], folder_ / plan_.runs[index].name);
        if (now.todo == Todo::Busy || (before.todo == Todo::Begin && now.todo != Todo::Begin)) return now;
    } catch (const std::exception&) { // what has failed before says it
    }
    return {};
}

RunState SweepRunner::train(
    const TrainingRequest& request, ProgressView& view, const std::stop_token& stop, bool& opened)
{
    const auto job = loadEngine().openTraining(request, view, stop);
    opened = true;
    view.clearBar();
    tag(job->directory());
    return job->run(view, stop);
}

TrainingRequest SweepRunner::requestFor(const PlannedRun& run, const PlannedState& state) const
{
    TrainingRequest request;
    request.config = run.config;
    request.directory = folder_ / run.name;
    request.name = run.name;
    request.resume = state.todo != PlannedState::Todo::Begin;
    if (request.resume) {
        refuseIfAllDamaged(request.directory);
        request.overrides = { "stop_after" }; // of an earlier process, or of this one
    }
    return request;
}

/// What the runs after this one will take: like those that are done, or else like this one.
double SweepRunner::secondsAfter(std::size_t index, double secondsPerStep) const
{
    const double rate = work_ > 0 ? seconds_ / work_
        : secondsPerStep > 0      ? secondsPerStep / workOfStep(plan_.runs[index].config)
                                  : std::numeric_limits<double>::quiet_NaN();
    double work = 0;
    for (auto i = index + 1; i < ahead_.size(); ++i) work += ahead_[i];
    return work * rate;
}

void SweepRunner::tag(const fs::path& directory)
{
    AboutChange change;
    change.addTags = { plan_.name };
    try {
        changeAbout(directory, change);
    } catch (const Error& error) { // the run is worth more than its tag
        note("pha: warning: " + oneLine(error.what()));
    }
}

} // namespace pha::cli
