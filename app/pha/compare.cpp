// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/run/metrics.h"
#include "engine/run/run_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace pha::cli {

namespace {

struct Run {
    std::string name, folder;
    RunConfig config;
    ModelCosts costs;
    std::optional<StepEvent> last;
    std::optional<EvalEvent> eval; ///< the best one of the validation split
    double tokensPerSecond = 0; ///< median over the updates
    std::int64_t processBytes = 0, deviceBytes = 0; ///< largest seen
};

Run readRun(const std::string& folder)
{
    const RunDirectory directory { fs::path(folder) };
    if (!directory.exists())
        throw CheckpointError(folder, "no run.json in it", "name run directories, as 'pha train' prints them");
    const auto file = directory.read();
    Run run;
    run.folder = folder;
    run.name = file.name.empty() ? fs::path(folder).filename().string() : file.name;
    run.config = file.config;
    run.costs = modelCosts(run.config.model, run.config.training.context);
    std::vector<double> rates;
    for (const auto& event : readMetrics(directory.metricsFile())) {
        if (const auto* step = std::get_if<StepEvent>(&event)) {
            run.last = *step;
            rates.push_back(step->tokensPerSecond);
            run.processBytes = std::max(run.processBytes, step->processBytes);
            run.deviceBytes = std::max(run.deviceBytes, step->deviceBytes);
        }
        const auto* eval = std::get_if<EvalEvent>(&event);
        if (eval && eval->split == "valid" && eval->note.empty() && (!run.eval || eval->nll < run.eval->nll))
            run.eval = *eval;
    }
    if (!rates.empty()) {
        const auto middle = rates.begin() + std::ptrdiff_t(rates.size() / 2);
        std::nth_element(rates.begin(), middle, rates.end());
        run.tokensPerSecond = *middle;
    }
    return run;
}

std::string text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// Keys whose values are not the same in all runs.
std::vector<std::string> differences(const std::vector<Run>& runs)
{
    std::vector<std::string> keys;
    for (const auto& [group, field] : allFields())
        if (std::any_of(runs.begin(), runs.end(), [&, &name = field.name](const Run& run) {
                return run.config.get(name) != runs.front().config.get(name);
            }))
            keys.push_back(field.name);
    return keys;
}

Json toJson(const Run& run)
{
    Json json { { "run", run.folder }, { "name", run.name }, { "parameters", run.costs.parameters },
        { "trainable", run.costs.trainable }, { "step", run.last ? run.last->step : 0 },
        { "tokens", run.last ? run.last->tokens : 0 }, { "loss", run.last ? Json(run.last->loss) : Json() },
        { "tokens_per_second", run.tokensPerSecond }, { "process_bytes", run.processBytes },
        { "device_bytes", run.deviceBytes } };
    json["eval"] = run.eval ? eventToJson(*run.eval) : Json();
    return json;
}

int compare(const std::vector<std::string>& folders, bool json)
{
    std::vector<Run> runs;
    for (const auto& folder : folders) runs.push_back(readRun(folder));
    const auto keys = differences(runs);
    if (json) {
        Json document { { "runs", Json::array() }, { "differences", Json::object() } };
        for (const auto& run : runs) document["runs"].push_back(toJson(run));
        for (const auto& key : keys)
            for (const auto& run : runs) document["differences"][key].push_back(run.config.get(key));
        printJson(document);
        return 0;
    }
    // Runs are columns, so that any number of figures and differences fits.
    std::vector<std::string> header { "" };
    for (const auto& run : runs) header.push_back(oneLine(run.name));
    Table table(header);
    const auto row = [&](const std::string& name, const auto& cell) {
        std::vector<std::string> cells { name };
        for (const auto& run : runs) cells.push_back(cell(run));
        table.add(cells);
    };
    const auto eval = [](double EvalEvent::*value) {
        return [value](const Run& run) { return run.eval ? figure((*run.eval).*value) : "-"; };
    };
    row("parameters", [](const Run& run) { return withThousands(run.costs.parameters); });
    row("steps", [](const Run& run) { return run.last ? withThousands(run.last->step) : "-"; });
    row("tokens", [](const Run& run) { return run.last ? withThousands(run.last->tokens) : "-"; });
    row("last loss", [](const Run& run) { return run.last ? figure(run.last->loss) : "-"; });
    row("best perplexity", eval(&EvalEvent::perplexity));
    row("per word", eval(&EvalEvent::wordPerplexity));
    row("bits per byte", eval(&EvalEvent::bitsPerByte));
    row("at step", [](const Run& run) { return run.eval ? withThousands(run.eval->step) : "-"; });
    row("tokens/s (median)",
        [](const Run& run) { return run.last ? fmt::format("{:.0f}", run.tokensPerSecond) : "-"; });
    row("process memory", [](const Run& run) { return run.last ? inBytes(double(run.processBytes)) : "-"; });
    row("tensor memory", [](const Run& run) { return run.last ? inBytes(double(run.deviceBytes)) : "-"; });
    for (const auto& key : keys) row(key, [&](const Run& run) { return oneLine(text(run.config.get(key))); });
    print(table.text());
    return 0;
}

} // namespace

void addCompare(CLI::App& root, Program& program)
{
    auto* command =
        root.add_subcommand("compare", "One table of runs: figures, speed, memory, differences of configuration");
    auto folders = std::make_shared<std::vector<std::string>>();
    auto json = std::make_shared<bool>(false);
    command->add_option("runs", *folders, "Run directories")->required();
    command->add_flag("--json", *json, "One JSON document");
    command->footer("Example: pha compare runs/pha-tiny-stories runs/pha-lean-tiny-stories");
    command->callback(
        [folders, json, &program] { program.action = [folders, json] { return compare(*folders, *json); }; });
}

} // namespace pha::cli
