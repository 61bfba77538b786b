// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/alerts.h"
#include "app/pha/command.h"
#include "app/pha/costs.h"
#include "app/pha/heads.h"
#include "app/pha/layer_lines.h"
#include "app/pha/look.h"
#include "app/pha/progress.h"
#include "app/pha/terminal.h"
#include "app/pha/weights.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/field_use.h"
#include "engine/engine.h"
#include "engine/run/fork_point.h"
#include "engine/run/metrics.h"

#include <fmt/format.h>

namespace pha::cli {

namespace {

struct InspectOptions : DeviceOptions {
    std::string target;
    bool json = false, heads = false;
    LookCommand look;
    AlertsCommand alerts;
    WeightsCommand weights;
    CostsCommand costs;
};

/// Of a fork; empty for any other run, and for a file of averaged weights, which lies in none.
std::optional<RunParent> parentOf(const std::string& target)
{
    std::error_code error;
    if (!fs::is_directory(target, error)) return {};
    return RunParent::of(RunDirectory(runNamed(target)).read(RunUse::View));
}

Json toJson(const ModelReport& report)
{
    auto layers = Json::array();
    for (std::int64_t layer = 0; layer < report.config.model.layers; ++layer)
        layers.push_back(layerWords(report.config.model, layer));
    Json parts = Json::object();
    for (const auto& part : report.parts) parts[part.part] = part.count;
    return { { "step", report.step }, { "parameters", report.parameters }, { "trainable", report.trainable },
        { "parts", parts }, { "layers", layers },
        { "mixing", eventToJson(MixingEvent { report.step, report.mixing })["layers"] },
        { "forward_flops_per_token", report.forwardFlopsPerToken },
        { "cache_bytes_per_token", report.cacheBytesPerToken }, { "fixed_state_bytes", report.fixedStateBytes },
        { "device", report.device }, { "precision", report.precision }, { "config", report.config.toJson() } };
}

/// Each of these shows something of its own, instead of what the command shows without them.
void checkOneView(const InspectOptions& options)
{
    std::string views;
    int wanted = 0;
    const auto add = [&](bool view, const char* option) {
        if (view) views += (wanted++ > 0 ? " and " : "") + std::string(option);
    };
    add(options.look.wanted(), "a text");
    add(options.alerts.wanted(), "--alerts");
    add(options.weights.wanted(), "--weights");
    add(options.costs.wanted(), "--costs");
    add(options.heads, "--heads");
    if (wanted > 1) throw Error(views + " given, which show different things", "use one of them", ExitCode::Usage);
}

int inspect(const InspectOptions& options)
{
    checkOneView(options);
    options.weights.check();
    options.costs.check();
    options.look.check(options.costs.wanted());
    if (options.alerts.wanted()) return options.alerts.run(options.target, options.json);
    if (options.weights.wanted()) return options.weights.run(options.target, options.json);
    const auto model = options.load(options.target);
    if (options.costs.wanted())
        return options.costs.run(*model, options.target, options.look.mix(), options.look.givenTokens(), options.json);
    if (options.look.wanted()) return options.look.run(*model, options.json);
    if (options.heads) return showHeads(*model, options.json);
    SilentSink silent;
    const auto report = model->inspect(silent, {});
    const auto parent = parentOf(options.target);
    if (options.json) {
        auto json = toJson(report);
        if (parent) json["parent"] = parent->toJson();
        printJson(json);
        return 0;
    }
    printLine(fmt::format("{}, step {}, {} on {}",
        report.config.preset.empty() ? report.config.model.family : report.config.preset, report.step, report.precision,
        report.device));
    if (parent) printLine("fork of " + oneLine(parent->text()));
    std::string section;
    for (const auto& [group, field] : allFields()) {
        if (group != "model" || !fieldMatters(report.config.model, field.name)) continue;
        if (section != field.section) printLine("\n" + (section = field.section));
        const auto value = report.config.get(field.name);
        printLine(fmt::format(
            "  {:<20} {}", field.name, oneLine(value.is_string() ? value.get<std::string>() : value.dump())));
    }
    printLine("\nLayers");
    for (const auto& line : layerLines(report.config.model)) printLine("  " + line);
    Table parts({ "part", "parameters", "share" });
    for (const auto& part : report.parts)
        parts.add({ part.part, withThousands(part.count),
            fmt::format(
                "{:.1f} %", report.parameters > 0 ? 100.0 * double(part.count) / double(report.parameters) : 0.0) });
    parts.add({ "total", withThousands(report.parameters), "" });
    print("\n" + parts.text());
    printLine(fmt::format("{} trainable", withThousands(report.trainable)));
    if (const auto table = mixingTable(report.mixing); !table.empty()) print("\n" + table);
    if (report.mixing.empty())
        printLine("\nno mixing weights: they are measured on the run's text, which cannot be read: "
            + oneLine(report.config.data.data));
    printLine(fmt::format(
        "\n{:.3g} FLOPs per token forward at context {}", report.forwardFlopsPerToken, report.config.training.context));
    printLine(keptLine(report.config.model, report.cacheBytesPerToken, report.fixedStateBytes, "keys and values"));
    return 0;
}

} // namespace

void addInspect(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand("inspect",
        "Show configuration, parameters by part, mixing weights, FLOPs and cache of a model; with a text, what each "
        "part does with it; with --weights, how its numbers are distributed; with --costs, what each part takes and is "
        "worth; with --heads, what each head does and how long states remember");
    auto options = std::make_shared<InspectOptions>();
    command->add_option("target", options->target, "Run directory or checkpoint")->required();
    options->addDevice(*command);
    options->addPrecision(*command);
    options->look.add(*command);
    options->alerts.add(*command);
    options->weights.add(*command);
    options->costs.add(*command);
    command->add_flag("--heads", options->heads,
        "Show instead what each head does, told from how it reads random tokens that come twice (previous token, self, "
        "first token, same token, induction), and the half-lives of the states of state spaces");
    command->add_flag("--json", options->json, "One JSON document");
    command->footer("Example: pha inspect runs/pha-tiny-stories\n"
                    "         pha inspect runs/pha-tiny-stories --text 'Tom had a blue key. What did Tom have?'\n"
                    "         pha inspect runs/pha-tiny-stories --text 'Tom had a blue key.' --lens\n"
                    "         pha inspect runs/pha-tiny-stories --text 'Tom had a blue key.' --activations\n"
                    "         pha inspect runs/pha-tiny-stories --heads\n"
                    "         pha inspect runs/pha-tiny-stories --alerts\n"
                    "         pha inspect runs/pha-tiny-stories --weights=attention\n"
                    "         pha inspect runs/pha-tiny-stories --costs --mute 3:ffn --mute 0:attention");
    command->callback([options, &program] { program.action = [options] { return inspect(*options); }; });
}

} // namespace pha::cli
