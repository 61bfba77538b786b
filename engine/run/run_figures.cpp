// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_figures.h"

#include "engine/base/error.h"
#include "engine/run/metrics.h"
#include "engine/run/run_directory.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace pha {

namespace {

using Figure = std::optional<double>;

template <auto member> Figure ofLast(const RunFigures& run)
{
    return run.last ? Figure(double((*run.last).*member)) : Figure();
}

template <auto member> Figure ofBest(const RunFigures& run)
{
    return run.best ? Figure(double((*run.best).*member)) : Figure();
}

/// Of a text whose `units` could be counted.
template <auto units, auto member> Figure ofBestPer(const RunFigures& run)
{
    return run.best && (*run.best).*units > 0 ? Figure(double((*run.best).*member)) : Figure();
}

template <auto member> Figure largest(const RunFigures& run)
{
    return run.last ? Figure(double(run.*member)) : Figure();
}

} // namespace

std::optional<double> gapClosed(const std::optional<ReferenceEvent>& references, const EvalEvent& eval)
{
    if (!references) return {};
    const auto floor = eval.floorNll ? eval.floorNll : references->floor; // of the very tokens that were scored
    if (!floor || !(references->unigram > *floor) || !std::isfinite(eval.nll)) return {};
    return (references->unigram - eval.nll) / (references->unigram - *floor);
}

RunFigures::RunFigures(std::string runName, const RunConfig& runConfig)
    : name(std::move(runName))
    , config(runConfig)
    , costs(modelCosts(runConfig.model, runConfig.training.context))
{
}

RunFigures RunFigures::read(const std::filesystem::path& folder)
{
    const RunDirectory directory { folder };
    const auto file = directory.read(RunUse::View);
    RunFigures fresh(file.name.empty() ? folder.filename().string() : file.name, file.config);
    fresh.parent = RunParent::of(file);
    auto run = fresh;
    const auto take = [&](const Event& event) {
        if (const auto* step = std::get_if<StepEvent>(&event)) run.take(*step);
        if (const auto* eval = std::get_if<EvalEvent>(&event)) run.take(*eval);
        if (const auto* command = std::get_if<CommandEvent>(&event)) run.take(*command);
    };
    forEachMetric(
        directory.metricsFile(), take, [&] { run = fresh; }, &run.badLines);
    return run;
}

void RunFigures::take(const StepEvent& event)
{
    if (event.watts && last && event.seconds > last->seconds) {
        joules_ += *event.watts * (event.seconds - last->seconds);
        meteredTokens_ += double(event.tokens - last->tokens);
    }
    last = event;
    addRate(event.tokensPerSecond);
    processBytes = std::max(processBytes, event.processBytes);
    deviceBytes = std::max(deviceBytes, event.deviceBytes);
}

void RunFigures::take(const EvalEvent& event)
{
    if (isValidation(event) && (!best || event.nll < best->nll)) {
        best = event;
        bestTokens = last && last->step == event.step ? std::optional(last->tokens) : std::nullopt;
    }
    if (isTest(event)) test = event;
}

void RunFigures::take(const CommandEvent& event)
{
    if (auto change = settingChange(event)) changes.push_back(std::move(*change));
}

void RunFigures::addRate(double rate)
{
    const auto push = [](std::vector<double>& heap, double value, auto order) {
        heap.push_back(value);
        std::push_heap(heap.begin(), heap.end(), order);
    };
    const auto pop = [](std::vector<double>& heap, auto order) {
        std::pop_heap(heap.begin(), heap.end(), order);
        const double value = heap.back();
        heap.pop_back();
        return value;
    };
    const std::less<> highest;
    const std::greater<> lowest;
    if (faster_.empty() || rate >= faster_.front()) {
        push(faster_, rate, lowest);
    } else {
        push(slower_, rate, highest);
    }
    if (slower_.size() > faster_.size()) {
        push(faster_, pop(slower_, highest), lowest);
    } else if (faster_.size() > slower_.size() + 1) {
        push(slower_, pop(faster_, lowest), highest);
    }
}

const std::vector<ComparedFigure>& comparedFigures()
{
    using Kind = ComparedFigure::Kind;
    static const std::vector<ComparedFigure> all {
        { "parameters", Kind::Count, 0,
            [](const RunFigures& run) {
                return run.costs.parameters > 0 ? Figure(double(run.costs.parameters)) : Figure();
            } },
        { "steps", Kind::Count, 0, ofLast<&StepEvent::step> },
        { "tokens", Kind::Count, 0, ofLast<&StepEvent::tokens> },
        { "last loss", Kind::Number, -1, ofLast<&StepEvent::loss> },
        { "best perplexity", Kind::Number, -1, ofBest<&EvalEvent::perplexity> },
        { "per word", Kind::Number, -1, ofBestPer<&EvalEvent::words, &EvalEvent::wordPerplexity> },
        { "bits per byte", Kind::Number, -1, ofBestPer<&EvalEvent::bytes, &EvalEvent::bitsPerByte> },
        { "at step", Kind::Count, 0, ofBest<&EvalEvent::step> },
        { "test perplexity", Kind::Number, -1,
            [](const RunFigures& run) { return run.test ? Figure(run.test->perplexity) : Figure(); }, true },
        { "tokens/s (median)", Kind::Rate, 1,
            [](const RunFigures& run) { return run.last ? Figure(run.tokensPerSecond()) : Figure(); } },
        { "process memory", Kind::Bytes, -1, largest<&RunFigures::processBytes> },
        { "tensor memory", Kind::Bytes, -1, largest<&RunFigures::deviceBytes> },
        { "mJ a token", Kind::Number, -1,
            [](const RunFigures& run) {
                const auto joules = run.joulesPerToken();
                return joules ? Figure(*joules * 1e3) : Figure();
            },
            true },
    };
    return all;
}

std::vector<const ComparedFigure*> figuresOf(const std::vector<const RunFigures*>& runs)
{
    std::vector<const ComparedFigure*> shown;
    for (const auto& figure : comparedFigures())
        if (!figure.rare || std::any_of(runs.begin(), runs.end(), [&](const auto* run) { return figure.value(*run); }))
            shown.push_back(&figure);
    return shown;
}

std::vector<std::string> differingKeys(const std::vector<const RunFigures*>& runs)
{
    std::vector<std::string> keys;
    for (const auto& [group, field] : allFields())
        if (std::any_of(runs.begin(), runs.end(), [&, &name = field.name](const RunFigures* run) {
                return run->config.get(name) != runs.front()->config.get(name);
            }))
            keys.push_back(field.name);
    return keys;
}

std::string configText(const RunFigures& run, const std::string& key) { return settingText(run.config.get(key)); }

} // namespace pha
