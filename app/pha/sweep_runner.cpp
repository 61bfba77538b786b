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
    try {
        const auto state = plannedState(run, folder_ / run.name); // others may have trained it meanwhile
        if (state.todo == PlannedState::Todo::Nothing) {
            note(fmt::format("{}, {}: {} already{}", place, run.name, stateWord(state.run.state, state.run.interrupted),
                changesText(state)));
            diverged_ += state.run.state == RunState::Diverged;
            return;
        }
        note(fmt::format("{}, {}{}{}", place, run.name,
            state.todo == PlannedState::Todo::GoOn ? ": " + goesOnText(state) : "", changesText(state)));
        const auto ended = train(requestFor(run, state), view, stop);
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
        note(fmt::format("pha: warning: {} failed: {}", run.name, oneLine(what.substr(0, what.find('\n')))));
        ++failed_;
    }
}

RunState SweepRunner::train(const TrainingRequest& request, ProgressView& view, const std::stop_token& stop)
{
    const auto job = loadEngine().openTraining(request, view, stop);
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
