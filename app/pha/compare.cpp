// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/text.h"
#include "engine/run/metrics.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_figures.h"

#include <fmt/format.h>

#include <algorithm>

namespace pha::cli {

namespace {

Json toJson(const RunFigures& run, const std::string& folder)
{
    Json json { { "run", folder }, { "name", run.name }, { "parameters", run.costs.parameters },
        { "trainable", run.costs.trainable }, { "step", run.last ? run.last->step : 0 },
        { "tokens", run.last ? run.last->tokens : 0 }, { "loss", run.last ? Json(run.last->loss) : Json() },
        { "tokens_per_second", run.tokensPerSecond() }, { "process_bytes", run.processBytes },
        { "device_bytes", run.deviceBytes } };
    if (const auto joules = run.joulesPerToken()) json["joules_per_token"] = *joules;
    json["eval"] = run.best ? eventToJson(*run.best) : Json();
    if (run.parent) json["parent"] = run.parent->toJson();
    return json;
}

std::string cell(const ComparedFigure& row, const RunFigures& run)
{
    const auto value = row.value(run);
    if (!value) return "-";
    switch (row.kind) {
    case ComparedFigure::Kind::Count:
        return withThousands(std::int64_t(*value));
    case ComparedFigure::Kind::Number:
        return figure(*value);
    case ComparedFigure::Kind::Rate:
        return fmt::format("{:.0f}", *value);
    case ComparedFigure::Kind::Bytes:
        return formatBytes(*value);
    }
    return {};
}

int compare(const std::vector<std::string>& given, bool json)
{
    std::vector<std::string> folders;
    std::vector<RunFigures> runs;
    for (const auto& each : given) {
        auto named = runNamed(each).string();
        if (!RunDirectory(each).exists())
            note(fmt::format("pha: note: {} is compared as the whole run {}; to measure the checkpoint: pha eval {}",
                oneLine(each), oneLine(named), oneLine(quotedPath(each))));
        const auto same = [&](const std::string& other) {
            std::error_code error;
            return fs::equivalent(other, named, error);
        };
        if (std::any_of(folders.begin(), folders.end(), same)) {
            note("pha: note: shown once, though given again: " + oneLine(each));
            continue;
        }
        const auto& folder = folders.emplace_back(std::move(named));
        runs.push_back(RunFigures::read(folder));
        warnOfUnknown(folder);
        warnOfBadLines(folder, runs.back().badLines);
    }
    std::vector<const RunFigures*> all;
    for (const auto& run : runs) all.push_back(&run);
    const auto keys = differingKeys(all);
    if (json) {
        Json document { { "runs", Json::array() }, { "differences", Json::object() } };
        for (std::size_t i = 0; i < runs.size(); ++i) document["runs"].push_back(toJson(runs[i], folders[i]));
        for (const auto& key : keys)
            for (const auto& run : runs) document["differences"][key].push_back(run.config.get(key));
        printJson(document);
        return 0;
    }
    // Runs are columns, so that any number of figures and differences fits.
    std::vector<std::string> header { "" };
    for (const auto& run : runs) header.push_back(oneLine(run.name));
    Table table(header);
    const auto add = [&](const std::string& name, const auto& text) {
        std::vector<std::string> cells { name };
        for (const auto& run : runs) cells.push_back(text(run));
        table.add(cells);
    };
    if (std::any_of(runs.begin(), runs.end(), [](const RunFigures& run) { return run.parent.has_value(); }))
        add("fork of", [](const RunFigures& run) { return run.parent ? oneLine(run.parent->text()) : "-"; });
    for (const auto* row : figuresOf(all)) add(row->name, [&](const RunFigures& run) { return cell(*row, run); });
    for (const auto& key : keys) add(key, [&](const RunFigures& run) { return oneLine(configText(run, key)); });
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
    addWords(*command, "runs", *folders, "Run directories")->required();
    command->add_flag("--json", *json, "One JSON document");
    command->footer("Example: pha compare runs/pha-tiny-stories runs/pha-lean-tiny-stories");
    command->callback([folders, json, command, &program] {
        takeWords(*command, *folders);
        program.action = [folders, json] { return compare(*folders, *json); };
    });
}

} // namespace pha::cli
