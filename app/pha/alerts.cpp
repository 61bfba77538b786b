// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/alerts.h"

#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/run/alerts.h"
#include "engine/run/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pha::cli {

namespace {

constexpr std::size_t costliestShown = 8;

struct RunAlerts {
    fs::path run;
    std::vector<AlertEvent> alerts;
    std::vector<MixingEvent> mixing;
};

RunAlerts readAlerts(const std::string& target)
{
    RunAlerts found;
    found.run = runNamed(target);
    std::int64_t badLines = 0;
    const auto take = [&](Event& event) {
        if (auto* alert = std::get_if<AlertEvent>(&event)) found.alerts.push_back(std::move(*alert));
        if (auto* mixing = std::get_if<MixingEvent>(&event)) found.mixing.push_back(std::move(*mixing));
    };
    const auto startOver = [&] {
        found.alerts.clear();
        found.mixing.clear();
    };
    forEachMetric(RunDirectory(found.run).metricsFile(), take, startOver, &badLines);
    warnOfBadLines(found.run.string(), badLines);
    return found;
}

std::string optionalFigure(const std::optional<double>& value) { return value ? figure(*value) : "-"; }

std::string place(std::int64_t layer, const std::string& part)
{
    return layer < 0 ? part : fmt::format("L{} {}", layer, part);
}

void printTable(const RunAlerts& found)
{
    if (found.alerts.empty()) {
        printLine("no alerts: no loss stood far above those before it, and none was not finite");
        return;
    }
    Table table({ "step", "kind", "loss", "before", "gradient", "before", "worst text" });
    for (const auto& alert : found.alerts)
        table.add({ std::to_string(alert.step), alert.kind, figure(alert.loss),
            alert.kind == "spike" ? optionalFigure(alert.median) : "-", figure(alert.gradNorm),
            optionalFigure(alert.kind == "gradient" ? alert.median : alert.gradNormBefore),
            alert.texts.empty() ? "-" : oneLine(alert.texts.front().place) });
    print(table.text());
    printLine(fmt::format(
        "\npha inspect {} --alert {} shows its texts and gradients", quotedPath(found.run), found.alerts.back().step));
}

void printGradients(const AlertEvent& alert)
{
    if (alert.gradients.empty()) return;
    printLine(alert.usualStep ? fmt::format("\nGradient by part, and as it was at step {}", *alert.usualStep)
                              : "\nGradient by part");
    Table table({ "part", "norm", "usual", "times" });
    for (const auto& gradient : alert.gradients) {
        const bool known = gradient.usual && *gradient.usual > 0;
        table.add({ place(gradient.layer, gradient.part), figure(gradient.norm), optionalFigure(gradient.usual),
            known && std::isfinite(gradient.norm) ? fmt::format("{:.1f}", gradient.norm / *gradient.usual) : "-" });
    }
    print(table.text());
}

void printMixing(const RunAlerts& found, const AlertEvent& alert)
{
    const auto [before, after] = mixingAround(found.mixing, alert.step);
    if (!before || !after || before->layers.size() != after->layers.size()) return;
    if (!anyMixed(before->layers)) return;
    Table table({ "layer", "branch", "before", "after", "change" });
    for (std::size_t l = 0; l < before->layers.size(); ++l) {
        const auto &old = before->layers[l].branches, &now = after->layers[l].branches;
        for (std::size_t b = 0; before->layers[l].mixed && b < std::min(old.size(), now.size()); ++b)
            table.add({ std::to_string(l), old[b].branch, fmt::format("{:.1f} %", 100 * old[b].normalised),
                fmt::format("{:.1f} %", 100 * now[b].normalised),
                fmt::format("{:+.1f}", 100 * (now[b].normalised - old[b].normalised)) });
    }
    printLine(fmt::format("\nMixing weights, last measured at step {} and next at {}", before->step, after->step));
    print(table.text());
}

void printText(const CostlyText& text)
{
    printLine(fmt::format("\n{}: {} nats a token over {}", oneLine(text.place), figure(text.loss),
        text.scored == 1 ? "1 token" : fmt::format("{} tokens", text.scored)));
    std::string excerpt;
    for (const auto& token : text.excerpt) excerpt += token.text;
    printLine(fmt::format("  from token {} of {}: {}", text.from, text.tokens, oneLine(excerpt)));
    std::string costs;
    for (const auto& token : costliestTokens(text, costliestShown))
        costs += fmt::format("{}\"{}\" {}", costs.empty() ? "" : ", ", oneLine(token.text), figure(*token.nats));
    if (!costs.empty()) printLine("  most expensive: " + costs);
}

/// What can be done about it, as a command.
void printAction(const RunAlerts& found, const AlertEvent& alert)
{
    const RunDirectory run(found.run);
    const auto checkpoint = checkpointBefore(run, alert.step);
    if (checkpoint.empty()) {
        printLine("\nno checkpoint from before it is left to fork from");
        return;
    }
    const auto skip = skipFrom(run.read(RunUse::View).config.training.skipData, alert.step, 1);
    printLine(fmt::format("\nto go around this batch: pha train --fork {} --set skip_data={}",
        quotedPath(run.checkpoints() / checkpoint), skip));
}

void printAlert(const RunAlerts& found, const AlertEvent& alert)
{
    printLine(fmt::format("step {}: {}", alert.step, oneLine(alert.message)));
    printLine(alert.gradNormBefore ? fmt::format(
                  "gradient norm {}, in the update before it {}", figure(alert.gradNorm), figure(*alert.gradNormBefore))
                                   : "gradient norm " + figure(alert.gradNorm));
    for (const auto* words : { &alert.cause, &alert.note })
        if (!words->empty()) printLine(oneLine(*words));
    printGradients(alert);
    printMixing(found, alert);
    if (!alert.texts.empty()) printLine("\nTexts of the batch, the most expensive first");
    for (const auto& text : alert.texts) printText(text);
    printAction(found, alert);
}

} // namespace

void AlertsCommand::add(CLI::App& command)
{
    command_ = &command;
    command.add_flag("--alerts", all_, "The run's alerts instead: updates whose loss jumped or was not finite");
    addInteger(command, "--alert", step_,
        "One alert by its step: what the texts of its batch cost, gradients, mixing weights around it");
}

bool AlertsCommand::wanted() const { return all_ || command_->count("--alert") > 0; }

int AlertsCommand::run(const std::string& target, bool json) const
{
    const auto found = readAlerts(target);
    if (command_->count("--alert") == 0) {
        auto list = Json::array();
        for (const auto& alert : found.alerts) list.push_back(eventToJson(alert));
        json ? printJson({ { "alerts", list } }) : printTable(found);
        return 0;
    }
    const auto alert = std::find_if(
        found.alerts.begin(), found.alerts.end(), [&](const AlertEvent& one) { return one.step == step_; });
    if (alert == found.alerts.end())
        throw ConfigError("--alert", std::to_string(step_), "the step of an alert of the run; --alerts lists them");
    json ? printJson(eventToJson(*alert)) : printAlert(found, *alert);
    return 0;
}

} // namespace pha::cli
