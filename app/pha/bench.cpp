// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "engine/base/text.h"
#include "engine/engine.h"
#include "engine/run/bench_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pha::cli {

namespace {

struct BenchOptions {
    BenchRequest request;
    std::string presets, contexts = "256,1024";
    DeviceOptions device;
    std::int64_t repeats = BenchRequest().repeats, threads = 0;
    bool json = false;
};

/// The small sisters, which any machine measures in a minute.
std::vector<std::string> tinyPresets()
{
    std::vector<std::string> names;
    for (const auto& preset : presets())
        if (preset.name.ends_with("-tiny")) names.push_back(preset.name);
    return names;
}

BenchRequest request(const BenchOptions& options, const CLI::App& command)
{
    auto request = options.request;
    request.presets = command.count("--presets") > 0 ? splitCommas(options.presets) : tinyPresets();
    for (const auto& name : request.presets) findPreset(name);
    for (const auto& part : splitCommas(options.contexts)) {
        request.contexts.push_back(parseInteger("--contexts", part));
        checkRange("--contexts", request.contexts.back(), 2, 1 << 20);
    }
    checkRange("--batch-tokens", request.batchTokens, 1, 1 << 30);
    checkRange("--decode-batch", request.decodeBatch, 1, 4096);
    checkRange("--repeats", options.repeats, 1, 1000);
    checkRange("--threads", options.threads, 0, 1024);
    for (const auto& [option, mode] : { std::pair { "--decode-batch", "decode" }, { "--recompute", "train" } })
        if (command.count(option) > 0 && request.mode != mode)
            throw Error(fmt::format("{} means nothing with --mode {}", option, request.mode),
                fmt::format("leave it out, or add --mode {}", mode), ExitCode::Usage);
    request.repeats = int(options.repeats);
    request.threads = int(options.threads);
    request.device = options.device.device;
    request.precision = options.device.precision;
    return request;
}

/// On a processor the system would end what does not fit in the middle of a row, perhaps with other programs.
void refuseIfTooLarge(const BenchRequest& what, const EngineInfo& info)
{
    const bool processor = what.device == "cpu" || (what.device == "auto" && info.devices.size() == 1);
    const double available = double(availableMemory());
    if (what.mode != "train" || !processor || available == 0) return;
    for (const auto& name : what.presets)
        for (const auto context : what.contexts) {
            auto config = findPreset(name).config;
            config.training.context = context;
            config.training.batchSize = std::max<std::int64_t>(what.batchTokens / context, 1);
            config.training.precision = what.precision;
            config.training.recompute = what.recompute;
            if (const double needed = trainingBytes(config); needed > available)
                throw Error(fmt::format("{} at {} needs about {}, and {} of memory are free", name, context,
                                formatBytes(needed), formatBytes(available)),
                    "take fewer --batch-tokens, a shorter context or a smaller preset", ExitCode::Usage);
        }
}

/// Columns of fixed width: rows are shown as they are measured.
constexpr auto rowFormat = "{:<20} {:>8} {:>6} {:>12} {:>14} {:>8} {:>10} {:>12} {:>9}{:>12}";

void printHeading(const BenchRequest& request, const EngineInfo& info, bool energy)
{
    printLine(fmt::format(
        "{}, median of {}; LibTorch {}, {}", request.mode, request.repeats, info.libtorch, info.cpuCapability));
    printLine(fmt::format(rowFormat, "preset", "context", "batch", "parameters", "tokens/s", "spread", "peak",
        "GFLOP/s", request.mode == "decode" ? "of memory" : "of GEMM", energy ? "mJ/token" : ""));
}

void printRow(const BenchRow& row)
{
    printLine(fmt::format(rowFormat, row.preset, row.context, row.batch, withThousands(row.parameters),
        fmt::format("{:.0f}", row.tokensPerSecond), fmt::format("{:.1f} %", 100 * row.spread),
        formatBytes(double(row.peakBytes)), fmt::format("{:.1f}", row.flopsPerSecond / 1e9),
        fmt::format("{:.1f} %", 100 * (row.mode == "decode" ? row.readShare : row.gemmShare)),
        row.joulesPerToken > 0 ? figure(1e3 * row.joulesPerToken) : ""));
    if (row.mode == "decode")
        printLine(fmt::format("{:>29} a step reads {}, the memory gives {}/s", "", formatBytes(row.stepBytes),
            formatBytes(row.readRate)));
    flushOutput();
}

int bench(const BenchOptions& options, const CLI::App& command)
{
    const auto what = request(options, command);
    StopOnSignal stop("start it again");
    auto& engine = loadEngine();
    const auto info = engine.info();
    if (!info.warning.empty()) note("pha: warning: " + oneLine(info.warning));
    refuseIfTooLarge(what, info);
    bool first = true;
    const auto rows = engine.bench(
        what,
        [&](const BenchRow& row) {
            if (options.json) {
                note(fmt::format("{} at {}: {:.0f} tokens/s", row.preset, row.context, row.tokensPerSecond));
                return;
            }
            if (std::exchange(first, false)) printHeading(what, info, row.joulesPerToken > 0); // not above an error
            printRow(row);
        },
        stop.token());
    if (StopOnSignal::received()) throw Error("the benchmark was stopped", "start it again");
    if (options.json) {
        Json json { { "libtorch", info.libtorch }, { "blas", info.blas }, { "cpu", info.cpuCapability },
            { "rows", Json::array() } };
        for (const auto& row : rows) json["rows"].push_back(benchRowToJson(row));
        printJson(json);
    }
    return 0;
}

} // namespace

void addBench(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand("bench", "Throughput and peak memory of several models side by side");
    auto options = std::make_shared<BenchOptions>();
    auto& request = options->request;
    options->device.precision = request.precision;
    command->add_option("--presets", options->presets, "Presets separated by commas; all of size tiny if left out");
    command->add_option("--contexts", options->contexts, "Context lengths separated by commas")->capture_default_str();
    command
        ->add_option("--mode", request.mode,
            "train, forward, prompt (read with caches kept), decode, or gss (that branch alone, forward and backward, "
            "by each of its convolutions)")
        ->check(CLI::IsMember(std::vector<std::string>(std::begin(benchModes), std::end(benchModes))))
        ->capture_default_str();
    addInteger(*command, "--batch-tokens", request.batchTokens, "Tokens a step");
    addInteger(*command, "--repeats", options->repeats, "Measurements; the median counts");
    addInteger(*command, "--threads", options->threads, "CPU threads; 0 lets the program choose");
    addInteger(*command, "--decode-batch", request.decodeBatch, "decode: texts at the same time");
    command->add_flag("--recompute", request.recompute, "train: recompute layers in the backward pass");
    options->device.addDevice(*command);
    options->device.addPrecision(*command);
    command->add_flag("--json", options->json, "One JSON document");
    command->footer("Example: pha bench --presets pha-tiny,pha-lean-tiny --contexts 256,1024 --mode train");
    command->callback(
        [options, command, &program] { program.action = [options, command] { return bench(*options, *command); }; });
}

} // namespace pha::cli
