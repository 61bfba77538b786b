// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_overview.h"
#include "engine/run/scaling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <set>

namespace pha::cli {

namespace {

struct ScalingOptions {
    std::vector<std::string> runs;
    std::string find, by = "family";
    std::vector<std::string> at;
    bool json = false;
};

/// Runs that are named, and those in folders that are named; each once.
std::vector<fs::path> foldersOf(const ScalingOptions& options)
{
    const auto filter = RunFilter::parse(options.find);
    std::vector<fs::path> found;
    std::set<fs::path> known;
    const auto take = [&](const fs::path& folder) {
        if (known.insert(fs::canonical(folder)).second) found.push_back(folder);
    };
    for (const auto& given : options.runs) {
        std::error_code error;
        if (RunDirectory(given).exists() || fs::is_regular_file(given, error) || checkpointComplete(given, false)) {
            take(runNamed(given));
            continue;
        }
        if (!fs::is_directory(given, error))
            throw DataError(given, "is neither a run nor a folder of runs", "give one or the other");
        for (const auto& folder : runsIn(given)) {
            const auto run = readOverview(folder);
            if (!run.config) note("pha: warning: left out: " + oneLine(run.detail));
            if (run.config && !run.about.archived && filter.matches(run.facts())) take(folder);
        }
    }
    if (found.empty())
        throw Error("no run is left to compare", "give runs, or a folder of runs that --find finds", ExitCode::Usage);
    return found;
}

std::string flopsText(double flops) { return fmt::format("{:.2e}", flops); }
/// Losses are told apart by their third decimal.
std::string lossText(double loss) { return fmt::format("{:.3f}", loss); }

/// Where predictions are made: what every group has measured, and ten and a hundred times as much.
std::vector<double> placesOf(const ScalingOptions& options, const ScalingStudy& study)
{
    std::vector<double> places;
    for (const auto& text : options.at) {
        places.push_back(parseNumber("--at", text));
        if (places.back() <= 0) throw ConfigError("--at", text, "a number of FLOPs above 0");
    }
    double most = 0;
    for (const auto& group : study.groups)
        if (group.law) most = std::max(most, group.points.back().flops);
    if (places.empty() && most > 0) places = { most, 10 * most, 100 * most };
    return places;
}

Json toJson(const ScalingStudy& study, const std::vector<double>& places)
{
    Json document { { "by", study.key }, { "unit", study.perByte ? "bits a byte" : "nats a token" },
        { "without_evaluation", study.left }, { "groups", Json::array() } };
    for (const auto& group : study.groups) {
        Json points = Json::array(), predicted = Json::array(), law;
        for (const auto& point : group.points)
            points.push_back({ { "name", point.run->name }, { "parameters", point.run->costs.parameters },
                { "tokens", point.run->last->tokens }, { "flops", point.flops }, { "loss", point.loss },
                { "beaten", point.beaten } });
        if (group.law) {
            law = { { "floor", group.law->floor }, { "scale", group.law->scale }, { "exponent", group.law->exponent },
                { "center_flops", group.law->center }, { "misfit", group.law->misfit } };
            for (const auto place : places) {
                const auto [low, high] = group.law->interval(place);
                predicted.push_back(
                    { { "flops", place }, { "loss", group.law->loss(place) }, { "low", low }, { "high", high } });
            }
        }
        document["groups"].push_back(
            { { "name", group.name }, { "points", points }, { "law", law }, { "predicted", predicted } });
    }
    return document;
}

std::string range(double from, double to, std::string (*text)(double)) { return text(from) + " to " + text(to); }

void printLaws(const ScalingStudy& study)
{
    Table table({ study.key, "runs", "FLOPs", "loss", "floor", "exponent", "misfit" });
    for (const auto& group : study.groups) {
        const auto counted = std::count_if(
            group.points.begin(), group.points.end(), [](const ScalingPoint& point) { return !point.beaten; });
        std::vector<std::string> cells { oneLine(group.name), std::to_string(counted),
            range(group.points.front().flops, group.points.back().flops, flopsText),
            range(group.points.front().loss, group.points.back().loss, lossText) };
        if (group.law)
            for (const auto& text : { lossText(group.law->floor), fmt::format("{:.3f}", group.law->exponent),
                     fmt::format("{:.2f} %", 100 * group.law->misfit) })
                cells.push_back(text);
        else
            cells.insert(cells.end(), 3, "-");
        table.add(cells);
    }
    print(table.text());
}

void printPredictions(const ScalingStudy& study, const std::vector<double>& places)
{
    std::vector<std::string> header { "FLOPs" };
    for (const auto& group : study.groups)
        if (group.law) header.push_back(oneLine(group.name));
    Table table(header);
    for (const auto place : places) {
        std::vector<std::string> cells { flopsText(place) };
        for (const auto& group : study.groups) {
            if (!group.law) continue;
            const auto [low, high] = group.law->interval(place);
            cells.push_back(lossText(group.law->loss(place)) + " (" + range(low, high, lossText) + ")");
        }
        table.add(cells);
    }
    printLine("\nLoss by the curves, and where 90 % of what the runs leave open lies");
    print(table.text());
}

/// Inside what all have measured, where no curve has to be believed further than it was seen.
void printMultiples(const ScalingStudy& study)
{
    const auto common = study.common();
    const auto first =
        std::find_if(study.groups.begin(), study.groups.end(), [](const auto& group) { return group.law; });
    if (!common || first == study.groups.end()) return;
    Table table({ "", flopsText(common->first), flopsText(common->second) });
    for (auto group = first + 1; group != study.groups.end(); ++group) {
        if (!group->law) continue;
        const auto multiple = [&](double flops) {
            return fmt::format("{:.2f}", group->law->flops(first->law->loss(flops)) / flops);
        };
        table.add({ oneLine(group->name), multiple(common->first), multiple(common->second) });
    }
    printLine("\nTimes the FLOPs of " + oneLine(first->name) + " for the same loss, at");
    print(table.text());
}

int scaling(const ScalingOptions& options)
{
    std::deque<RunFigures> runs;
    std::vector<const RunFigures*> all;
    for (const auto& folder : foldersOf(options)) {
        runs.push_back(RunFigures::read(folder));
        warnOfBadLines(folder.string(), runs.back().badLines);
        all.push_back(&runs.back());
    }
    const auto study = studyScaling(all, options.by);
    const auto places = placesOf(options, study);
    for (const auto& name : study.left)
        note("pha: warning: run " + oneLine(name) + " has no evaluation and is left out");
    if (options.json) {
        printJson(toJson(study, places));
        return 0;
    }
    printLine(
        fmt::format("Loss of the validation split, {}, against the FLOPs of training (three forward passes of each "
                    "token)\n",
            study.perByte ? "bits a byte" : "nats a token"));
    printLaws(study);
    const auto fitted = std::count_if(study.groups.begin(), study.groups.end(), [](const auto& g) { return g.law; });
    if (fitted < std::ptrdiff_t(study.groups.size()))
        note("a curve needs four runs of three sizes or lengths whose loss falls with the FLOPs; where it is missing, "
             "train more runs");
    if (fitted == 0) return 0;
    printPredictions(study, places);
    if (fitted > 1) printMultiples(study);
    return 0;
}

} // namespace

void addScaling(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand(
        "scaling", "What runs of several sizes say of larger ones: loss against training compute, by family");
    auto options = std::make_shared<ScalingOptions>();
    addWords(*command, "runs", options->runs, "Run directories, or folders of runs")->required();
    command->add_option("--find", options->find, "Of folders only the runs that match, as in pha runs --find");
    command->add_option("--by", options->by, "The setting whose values are compared (family)");
    command->add_option("--at", options->at, "FLOPs to predict the loss at, such as 1e20; may be given several times")
        ->expected(1)
        ->take_all();
    command->add_flag("--json", options->json, "One JSON document");
    command->footer("Example: pha scaling runs/ --find 'tag:sizes' --at 1e19");
    command->callback([options, command, &program] {
        takeWords(*command, options->runs);
        program.action = [options] { return scaling(*options); };
    });
}

} // namespace pha::cli
