// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/costs.h"

#include "app/pha/command.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"
#include "app/pha/train_request.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/families.h"
#include "engine/run/fork_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pha::cli {

namespace {

constexpr std::int64_t scoredTokens = 32768; // one evaluation for each part
constexpr double unsteady = 0.5;

/// The parts that --mute names, each once.
std::vector<PartPlace> partsOf(const std::vector<MixOverride>& mutes, const ModelConfig& model)
{
    std::vector<PartPlace> parts;
    for (std::int64_t layer = 0; layer < model.layers; ++layer)
        for (const auto& part : layerParts(model, layer))
            if (std::any_of(mutes.begin(), mutes.end(),
                    [&](const auto& m) { return (m.layer < 0 || m.layer == layer) && m.branch == part; }))
                parts.push_back({ layer, part });
    return parts;
}

Json toJson(const BranchCosts& costs)
{
    Json json { { "batch", costs.batch }, { "context", costs.context }, { "pass_ms", 1e3 * costs.passSeconds },
        { "device", costs.device }, { "precision", costs.precision }, { "nll", costs.plain.figures.nll },
        { "perplexity", costs.plain.figures.perplexity }, { "tokens", costs.plain.figures.tokens },
        { "parts", Json::array() } };
    for (const auto& cell : costs.cells)
        json["parts"].push_back({ { "layer", cell.place.layer }, { "branch", cell.place.part },
            { "ms", 1e3 * cell.seconds }, { "spread", cell.spread }, { "share", cell.seconds / costs.passSeconds },
            { "flops_per_token", cell.flopsPerToken }, { "parameters", cell.parameters },
            { "weight_bytes", cell.weightBytes }, { "cache_bytes", cell.cacheBytes }, { "nll", cell.nll },
            { "change", cell.change }, { "perplexity_change", costs.perplexityChange(cell.change) } });
    return json;
}

Json toJson(const PruneTrial& trial, const BranchCosts& costs)
{
    Json json { { "nll", trial.nll }, { "change", trial.change },
        { "perplexity_change", costs.perplexityChange(trial.change) },
        { "predicted_ms", 1e3 * trial.predictedSeconds } };
    if (!trial.obstacle.empty()) {
        json["obstacle"] = trial.obstacle;
        return json;
    }
    json["pass_ms"] = 1e3 * trial.passSeconds;
    json["pruned_ms"] = 1e3 * trial.prunedSeconds;
    json["parameters"] = trial.parameters;
    return json;
}

void printCosts(const BranchCosts& costs, std::int64_t step)
{
    const auto& figures = costs.plain.figures;
    printLine(fmt::format("Step {}: a forward pass of {} x {} tokens takes {:.2f} ms on {} in {}", step, costs.batch,
        costs.context, 1e3 * costs.passSeconds, costs.device, costs.precision));
    printLine(fmt::format("perplexity {} on {} tokens of {}, split {}", figure(figures.perplexity),
        withThousands(figures.tokens), oneLine(costs.plain.data), figures.split));
    Table table({ "part", "ms", "of the pass", "MFLOP/token", "parameters", "weights kB", "cache kB", "nats if muted",
        "perplexity" });
    for (const auto& cell : costs.cells)
        table.add({ fmt::format("L{} {}", cell.place.layer, cell.place.part), fmt::format("{:.3f}", 1e3 * cell.seconds),
            fmt::format("{:.1f} %", 100 * cell.seconds / costs.passSeconds),
            fmt::format("{:.3f}", 1e-6 * cell.flopsPerToken), withThousands(cell.parameters),
            fmt::format("{:.1f}", 1e-3 * cell.weightBytes), fmt::format("{:.1f}", 1e-3 * cell.cacheBytes),
            fmt::format("{:+.4f}", cell.change), fmt::format("{:+.3f}", costs.perplexityChange(cell.change)) });
    print("\n" + table.text());
    printLine("\nms: the part's own code, median; the rest of the pass is embedding, norms, mix and head");
    std::vector<double> spreads;
    for (const auto& cell : costs.cells) spreads.push_back(cell.spread);
    std::nth_element(spreads.begin(), spreads.begin() + std::ptrdiff_t(spreads.size() / 2), spreads.end());
    if (const double usual = spreads[spreads.size() / 2]; usual > unsteady)
        printLine(fmt::format("times varied by {:.0f} % from pass to pass: the machine does other work, too; more "
                              "--repeats help",
            100 * usual));
}

/// What goes on without the parts; empty if nothing does, as from averaged weights.
std::string forkCommand(const std::string& target, const ModelConfig& model, const std::vector<PartPlace>& parts)
{
    try {
        const auto point = readForkPoint(target);
        const auto done = point.parent.step;
        return fmt::format("pha train --fork {} --set pruned_branches={}{}", quotedPath(target),
            prunedField(model, parts), point.config.training.steps > done ? "" : fmt::format(" --steps {}", 2 * done));
    } catch (const Error&) {
        return {};
    }
}

void printTrial(
    const PruneTrial& trial, const BranchCosts& costs, const std::vector<PartPlace>& parts, const std::string& toGoOn)
{
    std::vector<std::string> names;
    for (const auto& place : parts) names.push_back(place.text());
    printLine(fmt::format("\nWithout {}:", joinList(names)));
    printLine(fmt::format("  perplexity {:+.3f} ({:+.4f} nats per token), measured with all of them muted",
        costs.perplexityChange(trial.change), trial.change));
    printLine(fmt::format("  predicted  {:.2f} ms a pass, {:.2f} times as fast", 1e3 * trial.predictedSeconds,
        costs.passSeconds / trial.predictedSeconds));
    if (!trial.obstacle.empty()) return printLine("  there is no such network: " + oneLine(trial.obstacle));
    printLine(fmt::format("  measured   {:.2f} ms against {:.2f} ms, {:.2f} times as fast; {} parameters left",
        1e3 * trial.prunedSeconds, 1e3 * trial.passSeconds, trial.passSeconds / trial.prunedSeconds,
        withThousands(trial.parameters)));
    if (!toGoOn.empty()) printLine("  to go on without them: " + toGoOn);
}

} // namespace

void CostsCommand::add(CLI::App& command)
{
    command_ = &command;
    command.add_flag("--costs", wanted_,
        "Show instead what every part of every layer takes in a forward pass, and the change of the loss when it is "
        "muted; with --mute also what leaving out all the parts named does at once");
    command.add_option("--data", options_.text.data,
        "With --costs: another text than the run's own, a built-in corpus or a file (.txt, .jsonl, .parquet)");
    command.add_option("--split", options_.text.split, "With --costs: what is scored")
        ->check(CLI::IsMember({ "train", "valid", "test" }))
        ->capture_default_str();
    addInteger(command, "--context", options_.text.context, "With --costs: tokens per text; the run's if left out");
    addInteger(command, "--batch", options_.batch, "With --costs: texts of a timed pass; 2048 tokens if left out");
    addInteger(command, "--repeats", repeats_, "With --costs: timed passes, of which the median counts");
}

void CostsCommand::check() const
{
    for (const char* option : { "--data", "--split", "--context", "--batch", "--repeats" })
        if (!wanted_ && command_->count(option) > 0)
            throw Error(fmt::format("{} without --costs", option), "add --costs", ExitCode::Usage);
    if (!wanted_) return;
    for (const char* option : { "--text", "--text-file", "--out", "--lens", "--activations", "--mix" })
        if (command_->count(option) > 0)
            throw Error(fmt::format("--costs and {} given", option), "leave one of them out", ExitCode::Usage);
    if (command_->count("--data") > 0 && options_.text.data.empty())
        throw ConfigError("--data", "", "a built-in corpus or a text file");
    if (command_->count("--context") > 0) checkRange("--context", options_.text.context, 2, 1 << 20);
    if (command_->count("--batch") > 0) checkRange("--batch", options_.batch, 1, 1 << 20);
    checkRange("--repeats", repeats_, 1, 1000);
}

int CostsCommand::run(LoadedModel& model, const std::string& target, const MixOptions& left,
    std::optional<std::int64_t> maxTokens, bool json) const
{
    if (options_.text.data.empty()) refuseIfDataIsGone(model.config().data.data);
    StopOnSignal stop;
    auto options = options_;
    options.repeats = int(repeats_);
    options.text.maxTokens = maxTokens.value_or(scoredTokens);
    checkRange("--max-tokens", options.text.maxTokens, 1, std::int64_t(1) << 40);
    const auto parts = partsOf(left.resolve(model.config().model), model.config().model);
    ProgressView view(false);
    const auto costs = model.branchCosts(
        options, [](const BranchCost&) {}, view, stop.token());
    std::optional<PruneTrial> trial;
    if (!parts.empty()) trial = model.tryPruned(options, costs, parts, view, stop.token());
    view.clearBar();
    if (json) {
        auto document = toJson(costs);
        document["step"] = model.step();
        if (trial) document["without"] = toJson(*trial, costs);
        printJson(document);
        return 0;
    }
    printCosts(costs, model.step());
    if (trial) printTrial(*trial, costs, parts, forkCommand(target, model.config().model, parts));
    return 0;
}

} // namespace pha::cli
