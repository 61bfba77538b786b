// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/session/run_history.h"

#include <algorithm>
#include <limits>

namespace pha::ui {

namespace {

double orUnknown(const std::optional<double>& value)
{
    return value.value_or(std::numeric_limits<double>::quiet_NaN());
}

/// Puts each event where it belongs.
struct Filing {
    RunHistory& h;

    void operator()(const StepEvent& e) const
    {
        h.step.push_back(double(e.step));
        h.tokens.push_back(double(e.tokens));
        h.seconds.push_back(e.seconds);
        h.loss.push_back(e.loss);
        h.learningRate.push_back(e.learningRate);
        h.gradNorm.push_back(e.gradNorm);
        h.tokensPerSecond.push_back(e.tokensPerSecond);
        h.processBytes.push_back(double(e.processBytes));
        h.deviceBytes.push_back(double(e.deviceBytes));
        h.coresBusy.push_back(orUnknown(e.coresBusy));
        h.deviceUse.push_back(orUnknown(e.deviceUse));
        h.watts.push_back(orUnknown(e.watts));
        h.celsius.push_back(orUnknown(e.celsius));
        if (!e.applied) ++h.skippedUpdates;
    }
    void operator()(const MixingEvent& e) const { h.mixing.push_back(e); }
    void operator()(const EvalEvent& e) const { h.evals.push_back(e); }
    void operator()(const RecallEvent& e) const { h.recalls.push_back(e); }
    void operator()(const HeadsEvent& e) const { h.heads.push_back(e); }
    void operator()(const TimeEvent& e) const { h.times.push_back(e); }
    void operator()(const SampleEvent& e) const { h.samples.push_back(e); }
    void operator()(const CheckpointEvent& e) const { h.checkpoints.push_back(e); }
    void operator()(const CommandEvent& e) const { h.commands.push_back(e); }
    void operator()(const StatusEvent& e) const { h.statuses.push_back(e); }
    void operator()(const AlertEvent& e) const { h.alerts.push_back(e); }
    void operator()(const ReferenceEvent& e) const { h.references = e; }
    void operator()(const ProgressEvent&) const { }
};

/// The columns of the updates.
constexpr std::vector<double> RunHistory::*columns[] = { &RunHistory::step, &RunHistory::tokens, &RunHistory::seconds,
    &RunHistory::loss, &RunHistory::learningRate, &RunHistory::gradNorm, &RunHistory::tokensPerSecond,
    &RunHistory::processBytes, &RunHistory::deviceBytes, &RunHistory::coresBusy, &RunHistory::deviceUse,
    &RunHistory::watts, &RunHistory::celsius };

/// The first `count` rows of `whole`, of which `part` has some already, or too many.
template <class Row> void cut(std::vector<Row>& part, const std::vector<Row>& whole, std::size_t count)
{
    if (part.size() > count)
        part.erase(part.begin() + std::ptrdiff_t(count), part.end());
    else
        part.insert(part.end(), whole.begin() + std::ptrdiff_t(part.size()), whole.begin() + std::ptrdiff_t(count));
}

/// Those that were reported before update number `next`.
template <class Row> void cutBefore(std::vector<Row>& part, const std::vector<Row>& whole, double next)
{
    const auto end =
        std::partition_point(whole.begin(), whole.end(), [next](const Row& row) { return double(row.step) < next; });
    cut(part, whole, std::size_t(end - whole.begin()));
}

} // namespace

void RunHistory::append(const Event& event) { std::visit(Filing { *this }, event); }

void RunHistory::clear()
{
    const auto next = generation + 1;
    *this = {};
    generation = next;
}

void RunHistory::showMoment(const RunHistory& whole, std::size_t updates)
{
    if (generation != whole.generation) { // read anew: what was copied is of another course
        clear();
        generation = whole.generation;
    }
    updates = std::min(updates, whole.step.size());
    const double next = updates < whole.step.size() ? whole.step[updates] : std::numeric_limits<double>::infinity();
    for (const auto column : columns) cut(this->*column, whole.*column, updates);
    cutBefore(mixing, whole.mixing, next);
    cutBefore(evals, whole.evals, next);
    cutBefore(recalls, whole.recalls, next);
    cutBefore(heads, whole.heads, next);
    cutBefore(times, whole.times, next);
    cutBefore(samples, whole.samples, next);
    cutBefore(checkpoints, whole.checkpoints, next);
    cutBefore(commands, whole.commands, next);
    cutBefore(statuses, whole.statuses, next);
    cutBefore(alerts, whole.alerts, next);
    references = whole.references;
}

} // namespace pha::ui
