// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/sweep_table.h"

#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/run_overview.h"
#include "engine/run/seed_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <tuple>

namespace pha::cli {

namespace {

using Figure = std::optional<double>;

Figure parameters(const RunFigures& run) { return double(run.costs.parameters); }
Figure validLoss(const RunFigures& run) { return run.best ? Figure(run.best->nll) : Figure(); }
Figure perplexity(const RunFigures& run) { return run.best ? Figure(run.best->perplexity) : Figure(); }
Figure testLoss(const RunFigures& run) { return run.test ? Figure(run.test->nll) : Figure(); }
Figure testPerplexity(const RunFigures& run) { return run.test ? Figure(run.test->perplexity) : Figure(); }
Figure rate(const RunFigures& run) { return run.last ? Figure(run.tokensPerSecond()) : Figure(); }
Figure processBytes(const RunFigures& run) { return run.last ? Figure(double(run.processBytes)) : Figure(); }
Figure deviceBytes(const RunFigures& run) { return run.last ? Figure(double(run.deviceBytes)) : Figure(); }

/// One row: the runs of a combination, and how many of them are in which state.
struct Row {
    SeedGroup group;
    std::map<std::string, int> states;

    int count(const char* state) const
    {
        const auto found = states.find(state);
        return found == states.end() ? 0 : found->second;
    }
    /// What has all its runs before what lacks some; what diverged, or was changed by hand, is no candidate.
    auto order() const
    {
        const auto loss = group.spread(validLoss);
        const bool whole = count("finished") == int(group.runs.size());
        const bool changed = !changesOfCourse(*group.runs.front()).empty();
        return std::tuple(count("diverged") > 0, changed, !whole, !loss, loss ? loss->mean : 0);
    }
    std::string stateText() const
    {
        if (states.size() == 1) return states.begin()->first;
        std::vector<std::string> parts;
        for (const auto& [state, n] : states) parts.push_back(fmt::format("{} {}", n, state));
        return joinList(parts);
    }
};

/// All that is known of the runs of a sweep; the rows point into it.
struct SweepFigures {
    std::deque<RunFigures> runs;
    std::vector<Row> rows;
};

SweepFigures readSweep(const std::filesystem::path& folder, const std::string& name)
{
    SweepFigures sweep;
    std::map<const RunFigures*, std::string> states;
    std::error_code error;
    if (!fs::is_directory(folder, error))
        throw DataError(folder.string(), "there is no such folder", "give the folder of the runs with --runs-dir");
    std::vector<const RunFigures*> all;
    for (const auto& directory : runsIn(folder)) {
        const auto run = readOverview(directory);
        const auto& tags = run.about.tags;
        if (!run.config) note("pha: warning: a run is left out: " + oneLine(run.detail));
        if (!run.config || std::find(tags.begin(), tags.end(), name) == tags.end()) continue;
        sweep.runs.push_back(RunFigures::read(directory));
        warnOfBadLines(directory.string(), sweep.runs.back().badLines);
        all.push_back(&sweep.runs.back());
        states[all.back()] = stateWord(run.state, run.interrupted);
    }
    if (all.empty())
        throw DataError(folder.string(), "no run there has the tag " + inQuotes(name),
            "see what there is with: pha runs --runs-dir " + quotedPath(folder));
    for (auto& group : groupSeeds(all)) {
        Row row { std::move(group), {} };
        for (const auto* run : row.group.runs) ++row.states[states[run]];
        sweep.rows.push_back(std::move(row));
    }
    std::stable_sort(
        sweep.rows.begin(), sweep.rows.end(), [](const Row& a, const Row& b) { return a.order() < b.order(); });
    return sweep;
}

template <class Format> std::string cell(const std::optional<Spread>& spread, const Format& format, bool range)
{
    if (!spread) return "-";
    if (!range || spread->count < 2 || format(spread->least) == format(spread->most)) return format(spread->mean);
    return fmt::format("{} ({} ... {})", format(spread->mean), format(spread->least), format(spread->most));
}

/// Why a run has a row of its own beside its combination.
void printChanges(const SweepFigures& sweep)
{
    for (const auto& run : sweep.runs) {
        std::vector<std::string> all;
        for (const auto& change : changesOfCourse(run)) all.push_back(change.text());
        if (!all.empty())
            printLine(oneLine(
                run.name + " was changed by hand, so it is not in the mean of its combination: " + joinList(all)));
    }
}

void printRows(const SweepFigures& sweep, const std::string& name)
{
    // Beside one another values that differ in the third place are the usual case.
    const auto loss = [](double value) { return fmt::format("{:.4f}", value); };
    const auto whole = [](double value) { return withThousands(std::int64_t(value)); };
    const auto round = [](double value) { return fmt::format("{:.0f}", value); };
    const bool tested =
        std::any_of(sweep.runs.begin(), sweep.runs.end(), [](const RunFigures& run) { return bool(run.test); });
    std::vector<std::string> head { "combination", "runs", "parameters", "validation loss", "perplexity" };
    if (tested) head.insert(head.end(), { "test loss", "test perplexity" });
    head.insert(head.end(), { "tokens/s", "process memory", "tensor memory", "state" });
    Table table(head);
    for (const auto& row : sweep.rows) {
        const auto& group = row.group;
        auto label = group.name();
        if (label.starts_with(name + "-")) label.erase(0, name.size() + 1);
        std::vector<std::string> cells { oneLine(label), std::to_string(group.runs.size()),
            cell(group.spread(parameters), whole, false), cell(group.spread(validLoss), loss, true),
            cell(group.spread(perplexity), figure, false) };
        if (tested) {
            cells.push_back(cell(group.spread(testLoss), loss, true));
            cells.push_back(cell(group.spread(testPerplexity), figure, false));
        }
        cells.insert(cells.end(),
            { cell(group.spread(rate), round, true), cell(group.spread(processBytes), formatBytes, false),
                cell(group.spread(deviceBytes), formatBytes, false), row.stateText() });
        table.add(cells);
    }
    print(table.text());
    printChanges(sweep);
}

Json toJson(const std::optional<Spread>& spread)
{
    if (!spread) return {};
    return { { "mean", spread->mean }, { "min", spread->least }, { "max", spread->most }, { "runs", spread->count } };
}

Json rowJson(const Row& row, const std::vector<std::string>& keys)
{
    const auto& group = row.group;
    Json json { { "name", group.name() }, { "runs", Json::array() }, { "seeds", Json::array() },
        { "preset", group.runs.front()->config.preset }, { "settings", Json::object() }, { "states", row.states },
        { "parameters", group.runs.front()->costs.parameters }, { "valid_loss", toJson(group.spread(validLoss)) },
        { "perplexity", toJson(group.spread(perplexity)) }, { "test_loss", toJson(group.spread(testLoss)) },
        { "test_perplexity", toJson(group.spread(testPerplexity)) },
        { "tokens_per_second", toJson(group.spread(rate)) }, { "process_bytes", toJson(group.spread(processBytes)) },
        { "device_bytes", toJson(group.spread(deviceBytes)) } };
    for (const auto* run : group.runs) {
        json["runs"].push_back(run->name);
        json["seeds"].push_back(run->config.training.seed);
    }
    json["changes"] = Json::array();
    for (const auto& change : changesOfCourse(*group.runs.front()))
        json["changes"].push_back(
            { { "step", change.step }, { "key", change.key }, { "value", change.value }, { "was", change.was } });
    for (const auto& key : keys) json["settings"][key] = group.runs.front()->config.get(key);
    return json;
}

void printDocument(const SweepFigures& sweep, const std::string& name)
{
    std::vector<const RunFigures*> all;
    for (const auto& run : sweep.runs) all.push_back(&run);
    auto keys = differingKeys(all);
    std::erase(keys, "seed");
    Json document { { "name", name }, { "combinations", Json::array() } };
    for (const auto& row : sweep.rows) document["combinations"].push_back(rowJson(row, keys));
    printJson(document);
}

} // namespace

int printSweepTable(const std::filesystem::path& folder, const std::string& name, bool json)
{
    const auto sweep = readSweep(folder, name);
    if (json)
        printDocument(sweep, name);
    else
        printRows(sweep, name);
    return 0;
}

} // namespace pha::cli
