// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/sweep_test_split.h"

#include "app/pha/progress.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/engine.h"
#include "engine/run/metrics.h"
#include "engine/run/run_figures.h"
#include "engine/run/run_overview.h"

#include <fmt/format.h>

#include <algorithm>

namespace pha::cli {

namespace {

/// Figures of an earlier checkpoint say nothing of the present one.
bool known(const fs::path& run, std::int64_t step)
{
    bool found = false;
    const auto take = [&](const Event& event) {
        const auto* eval = std::get_if<EvalEvent>(&event);
        found |= eval && isTest(*eval) && eval->step == step;
    };
    forEachMetric(
        RunDirectory(run).metricsFile(), take, [&] { found = false; }, nullptr, "eval");
    return found;
}

std::int64_t bestStep(const fs::path& run)
{
    return checkpointStep(resolveCheckpoint(run).filename().string()).value_or(-1);
}

void keep(const fs::path& run, const EvalEvent& figures)
{
    const RunLock lock(run); // nobody else appends
    MetricsWriter writer(RunDirectory(run).metricsFile());
    writer.append(figures);
    writer.sync();
}

bool belongsTo(const RunOverview& run, const std::string& name)
{
    return std::count(run.about.tags.begin(), run.about.tags.end(), name) > 0;
}

void score(const RunOverview& run, ProgressView& view, const std::stop_token& stop)
{
    const auto& directory = run.directory;
    if (known(directory, bestStep(directory))) return;
    const auto model = loadEngine().load(directory, run.config->training.device, "fp32");
    EvaluateOptions options;
    options.split = "test";
    options.recall = false;
    auto figures = model->evaluate(options, view, stop).figures;
    figures.step = model->step();
    keep(directory, figures);
    view.clearBar();
    note(
        fmt::format("{}: test loss {:.4f}, perplexity {}", oneLine(run.name), figures.nll, figure(figures.perplexity)));
}

} // namespace

bool scoreTestSplits(const fs::path& folder, const std::string& name, const std::stop_token& stop)
{
    for (const auto& directory : runsIn(folder)) {
        const auto run = readOverview(directory);
        if (!run.config || run.state != RunState::Finished || !belongsTo(run, name)) continue;
        ProgressView view(false);
        try {
            score(run, view, stop);
        } catch (const std::exception& error) {
            if (stop.stop_requested()) return false;
            view.clearBar();
            const std::string what = error.what();
            note(fmt::format("pha: warning: no test figures of {}: {}", oneLine(run.name),
                oneLine(what.substr(0, what.find('\n')))));
        }
    }
    return true;
}

} // namespace pha::cli
