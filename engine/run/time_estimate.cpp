// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/time_estimate.h"

#include "engine/base/hardware_meter.h"
#include "engine/run/run_figures.h"

#include <algorithm>
#include <tuple>

namespace pha {

namespace {

/// The first updates are slower than the rest, and a handful has no median worth the name.
constexpr std::int64_t leastUpdates = 20;

/// The vocabulary of a run that is planned may be unknown yet.
Json shape(const RunConfig& config)
{
    auto model = config.toJson().at("model");
    model.erase("vocabulary");
    return model;
}

bool sameShape(const RunConfig& a, const RunConfig& b)
{
    return shape(a) == shape(b) && a.training.context == b.training.context
        && a.training.batchSize == b.training.batchSize;
}

/// What decides how fast the same operations are done.
bool sameMachinery(const TrainingConfig& a, const TrainingConfig& b)
{
    return a.device == b.device && a.devices == b.devices && a.precision == b.precision && a.threads == b.threads;
}

double measured(const RunOverview& run)
{
    try {
        return trainingFlops(*run.config, RunFigures::read(run.directory).tokensPerSecond());
    } catch (const std::exception&) { // damaged since it was listed: another run may do
        return 0;
    }
}

} // namespace

double trainingFlopsPerToken(const RunConfig& config)
{
    constexpr double trainingShare = 3;
    return trainingShare * modelCosts(config.model, config.training.context).forwardFlopsPerToken;
}

double trainingFlops(const RunConfig& config, double tokensPerSecond)
{
    return tokensPerSecond * trainingFlopsPerToken(config);
}

double processRate(RunMoment first, const RunMoment& last)
{
    if (first.step == 1) first = {};
    const double seconds = last.seconds - first.seconds;
    return seconds > 0 ? (last.tokens - first.tokens) / seconds : 0;
}

TimeEstimate::TimeEstimate(const fs::path& runsFolder, const std::stop_token& stop)
    : processor_(processorName())
{
    for (const auto& directory : runsIn(runsFolder)) {
        if (stop.stop_requested()) break;
        auto run = readOverview(directory);
        if (run.config && run.step >= leastUpdates) runs_.push_back(std::move(run));
    }
    std::stable_sort(
        runs_.begin(), runs_.end(), [](const RunOverview& a, const RunOverview& b) { return a.created > b.created; });
}

std::optional<TimeEstimate::Basis> TimeEstimate::basis(const RunConfig& config)
{
    const auto here = [&](const RunOverview& run) { return run.processor.empty() || run.processor == processor_; };
    const auto order = [&](const RunOverview* run) {
        return std::tuple(!here(*run), !sameMachinery(run->config->training, config.training),
            !sameShape(*run->config, config), run->config->model.family != config.model.family);
    };
    std::vector<const RunOverview*> candidates;
    for (const auto& run : runs_) candidates.push_back(&run);
    std::stable_sort(candidates.begin(), candidates.end(),
        [&](const RunOverview* a, const RunOverview* b) { return order(a) < order(b); });
    for (const auto* run : candidates) {
        const auto known = rates_.find(run->directory);
        const double rate = known != rates_.end() ? known->second : rates_[run->directory] = measured(*run);
        if (rate > 0) return Basis { run->name, sameShape(*run->config, config), here(*run), rate };
    }
    return {};
}

double TimeEstimate::seconds(const Basis& basis, const RunConfig& config, double tokens)
{
    return tokens * trainingFlopsPerToken(config) / basis.flopsPerSecond;
}

std::string TimeEstimate::Basis::text() const
{
    return "the rate of " + run + (sameShape ? "" : ", which has another shape")
        + (samePlace        ? ""
                : sameShape ? ", which another machine trained"
                            : " and was trained by another machine");
}

} // namespace pha
