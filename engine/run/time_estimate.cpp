// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/time_estimate.h"

#include "engine/base/posix_file.h"
#include "engine/run/metrics.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_figures.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

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

/// Median over the updates in the last part of a metrics file, which is enough of a long one.
double recentRate(const RunOverview& run)
{
    constexpr std::int64_t longest = 1 << 20;
    const PosixFile in(RunDirectory(run.directory).metricsFile(), O_RDONLY | O_NOFOLLOW);
    in.requireRegular();
    const auto size = std::int64_t(in.status().st_size), start = std::max<std::int64_t>(0, size - longest);
    std::string text(std::size_t(size - start), '\0');
    text.resize(in.readAt(text.data(), text.size(), start));
    std::vector<double> rates;
    // Without its start the first line is half read, without its newline the last one may be half written.
    auto from = start > 0 ? text.find('\n') : std::string::npos;
    for (from = from == std::string::npos ? 0 : from + 1;;) {
        const auto end = text.find('\n', from);
        if (end == std::string::npos) break;
        const auto line = parseMetricsLine(std::string_view(text).substr(from, end - from));
        if (const auto* step = line.event ? std::get_if<StepEvent>(&*line.event) : nullptr)
            rates.push_back(step->tokensPerSecond);
        from = end + 1;
    }
    if (start > 0 && std::int64_t(rates.size()) < leastUpdates)
        return RunFigures::read(run.directory).tokensPerSecond();
    if (rates.empty()) return 0;
    const auto middle = rates.begin() + std::ptrdiff_t(rates.size() / 2);
    std::nth_element(rates.begin(), middle, rates.end());
    return *middle;
}

double measured(const RunOverview& run)
{
    try {
        return trainingFlops(*run.config, recentRate(run));
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

TimeEstimate::Stamp TimeEstimate::stampOf(const fs::path& directory)
{
    Stamp stamp;
    std::error_code ignored; // a file that is not there has the stamp of nothing
    const RunDirectory run(directory);
    stamp.size = fs::file_size(run.metricsFile(), ignored);
    stamp.metrics = fs::last_write_time(run.metricsFile(), ignored);
    stamp.run = fs::last_write_time(run.runFile(), ignored);
    return stamp;
}

void TimeEstimate::look(const fs::path& runsFolder, const std::stop_token& stop)
{
    auto before = std::exchange(known_, {});
    for (const auto& directory : runsIn(runsFolder)) {
        if (stop.stop_requested()) break;
        const auto stamp = stampOf(directory); // before it is read: what comes after that is found in the next look
        const auto found = before.find(directory);
        if (found != before.end() && found->second.stamp == stamp) {
            known_.insert(before.extract(found));
            continue;
        }
        Known known { stamp };
        if (found != before.end()) known.end = found->second.end;
        known.run = readOverview(directory, &known.end);
        if (found != before.end() && found->second.stamp.run == stamp.run) {
            const auto& old = found->second;
            if (old.rate && known.run.step >= old.measuredAt && known.run.step < 2 * old.measuredAt) {
                known.rate = old.rate;
                known.measuredAt = old.measuredAt;
            }
        }
        known_.emplace(directory, std::move(known));
    }
}

std::optional<TimeEstimate::Basis> TimeEstimate::basis(const RunConfig& config)
{
    const auto here = [&](const RunOverview& run) { return run.processor.empty() || run.processor == processor_; };
    const auto order = [&](const RunOverview& run) {
        return std::tuple(!here(run), !sameMachinery(run.config->training, config.training),
            !sameShape(*run.config, config), run.config->model.family != config.model.family);
    };
    std::vector<Known*> candidates;
    for (auto& [directory, known] : known_)
        if (known.run.config && known.run.step >= leastUpdates) candidates.push_back(&known);
    std::stable_sort(candidates.begin(), candidates.end(),
        [](const Known* a, const Known* b) { return a->run.created > b->run.created; });
    std::stable_sort(candidates.begin(), candidates.end(),
        [&](const Known* a, const Known* b) { return order(a->run) < order(b->run); });
    for (auto* known : candidates) {
        const auto& run = known->run;
        if (!known->rate) {
            known->rate = measured(run);
            known->measuredAt = run.step;
        }
        if (*known->rate > 0) return Basis { run.name, sameShape(*run.config, config), here(run), *known->rate };
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
