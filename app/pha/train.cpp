// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/data/corpus.h"
#include "engine/data/tasks.h"
#include "engine/engine.h"
#include "engine/run/atomic_file.h"
#include "engine/run/run_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace pha::cli {

namespace {

struct Options {
    std::string preset, data, run, resume, name, configFile;
    std::string steps, device, precision, threads, seed; ///< as typed; the list of fields checks them
    std::vector<std::string> sets;
    bool json = false, dryRun = false, helpFields = false;
};

/// What the user set by --set and flags, in order of precedence.
std::vector<Setting> settings(const Options& options, const CLI::App& command)
{
    std::vector<Setting> list;
    for (const auto& text : options.sets) list.push_back(parseSetting(text));
    const std::pair<const char*, const std::string&> flags[] = { { "data", options.data }, { "steps", options.steps },
        { "device", options.device }, { "precision", options.precision }, { "threads", options.threads },
        { "seed", options.seed } };
    for (const auto& [key, value] : flags)
        if (command.count("--" + std::string(key)) > 0) list.push_back({ key, value });
    return list;
}

bool builtin(const std::string& data)
{
    const auto& list = builtinCorpora();
    return std::any_of(list.begin(), list.end(), [&](const BuiltinCorpus& c) { return c.name == data; });
}

/// A run may be resumed from any folder, so files are named by their whole paths.
void settleData(RunConfig& config)
{
    std::error_code error;
    if (!builtin(config.data.data) && fs::exists(config.data.data, error))
        config.data.data = fs::absolute(config.data.data).string();
    static constexpr const char* kinds[] = { "auto", "unigram", "bpe", "bytes" };
    auto& tokenizer = config.data.tokenizer;
    if (std::count(std::begin(kinds), std::end(kinds), tokenizer) == 0 && fs::exists(tokenizer, error))
        tokenizer = fs::absolute(tokenizer).string();
}

/// A --config file in any of its forms: run.json, the three groups, one flat object.
RunConfig readConfigFile(const std::string& path, const RunConfig& base)
{
    return RunConfig::fromJson(parseJsonStrict(readFile(path, 16 << 20), path), base);
}

RunConfig newConfig(const Options& options, const CLI::App& command)
{
    if (options.preset.empty() && options.configFile.empty())
        throw Error(
            "no model chosen", "add --preset NAME ('pha presets' lists them) or --config FILE", ExitCode::Usage);
    RunConfig config;
    if (!options.preset.empty()) {
        config = findPreset(options.preset).config;
        config.preset = options.preset;
    }
    if (!options.configFile.empty()) config = readConfigFile(options.configFile, config);
    for (const auto& [key, value] : settings(options, command)) config.set(key, value);
    settleData(config);
    config.validate();
    return config;
}

TrainingRequest newRequest(const Options& options, const CLI::App& command)
{
    TrainingRequest request;
    request.config = newConfig(options, command);
    const auto data = builtin(request.config.data.data) ? request.config.data.data
                                                        : fs::path(request.config.data.data).stem().string();
    const auto name =
        (request.config.preset.empty() ? "run" : request.config.preset) + "-" + (data.empty() ? "data" : data);
    if (command.count("--run") > 0 && options.run.empty()) throw ConfigError("--run", "", "a folder for the new run");
    request.directory = options.run.empty() ? freshRunDirectory(defaultRunsFolder(), name) : fs::path(options.run);
    request.name = options.name;
    return request;
}

/// Without any checkpoint a run begins again, which is right if it was killed early, but not if all of them are
/// damaged.
void refuseIfAllDamaged(const RunDirectory& run)
{
    std::error_code error;
    if (!run.list().empty() || !fs::is_directory(run.checkpoints(), error)) return;
    for (const auto& entry : fs::directory_iterator(run.checkpoints(), error))
        if (entry.path().filename().string().starts_with("step-"))
            throw CheckpointError(entry.path().string(), "damaged, and no other checkpoint of the run is intact",
                "restore it from a copy, or start a new run");
}

/// A checkpoint's name says how many updates are done, so this is known before anything is loaded or written.
void refuseIfDone(const TrainingRequest& request)
{
    const auto all = RunDirectory(request.directory).list();
    const auto name = !request.checkpoint.empty() ? request.checkpoint.filename().string()
        : all.empty()                             ? ""
                                                  : all.back();
    if (!name.starts_with("step-")) return;
    const auto done = parseInteger("checkpoint", name.substr(5)), steps = request.config.training.steps;
    if (done >= steps)
        throw ConfigError("steps", std::to_string(steps),
            fmt::format("more than the {} steps that this run has done; extend it with --steps", done));
}

TrainingRequest resumeRequest(const Options& options, const CLI::App& command)
{
    for (const auto* other : { "--preset", "--run", "--data", "--name" })
        if (command.count(other) > 0)
            throw Error(std::string(other) + " does not go with --resume", "leave it out: the run keeps its own",
                ExitCode::Usage);
    TrainingRequest request;
    request.resume = true;
    request.directory = options.resume;
    if (!RunDirectory(request.directory).exists()) {
        // Not a run, so a checkpoint of one, or an error that says what it is instead.
        request.checkpoint = resolveCheckpoint(options.resume);
        request.directory = runOfCheckpoint(request.checkpoint);
    }
    refuseIfAllDamaged(RunDirectory(request.directory));
    const auto stored = RunDirectory(request.directory).read().config;
    request.config = stored;
    request.config.training.stopAfter = 0; // was asked of an earlier process, not of this one
    if (!options.configFile.empty()) request.config = readConfigFile(options.configFile, request.config);
    for (const auto& [key, value] : settings(options, command)) request.config.set(key, value);
    for (const auto& [group, field] : allFields())
        if (request.config.get(field.name) != stored.get(field.name)) {
            if (group != "training")
                throw Error(field.name + " cannot change when a run is resumed", "leave it out, or start a new run",
                    ExitCode::Usage);
            request.overrides.push_back(field.name);
        }
    request.config.validate();
    refuseIfDone(request);
    return request;
}

int printFields()
{
    const RunConfig defaults;
    std::string section;
    for (const auto& [group, field] : allFields()) {
        if (section != field.section) printLine((section.empty() ? "" : "\n") + (section = field.section) + ":");
        const auto value = defaults.get(field.name);
        printLine(fmt::format("  {}\n      {} Accepts {}; {} unless the preset differs.", field.name, field.help,
            field.expectation(),
            value.is_string() ? (value.get<std::string>().empty() ? "empty" : value.get<std::string>())
                              : value.dump()));
    }
    return 0;
}

int dryRun(const TrainingRequest& request, bool json)
{
    auto config = request.config;
    if (!request.resume) { // what the tokenizer will have
        const auto given = Tokenizer::given(config.data);
        config.model.vocabulary = given ? given->size() : config.data.vocabSize;
        settleTaskShape(config);
    }
    const auto counts = modelCosts(config.model, config.training.context);
    const double bytes = trainingBytes(config);
    if (json) {
        printJson({ { "directory", request.directory.string() }, { "parameters", counts.parameters },
            { "trainable", counts.trainable }, { "training_bytes", bytes }, { "config", config.toJson() } });
        return 0;
    }
    printLine(config.toJson().dump(2, ' ', false, Json::error_handler_t::replace));
    printLine(fmt::format(
        "run directory  {}\nparameters     {} ({} trainable)\nmemory         about {}\ntokens         {} in {} updates",
        request.directory.string(), withThousands(counts.parameters), withThousands(counts.trainable), inBytes(bytes),
        withThousands(
            config.training.steps * config.training.batchSize * config.training.context * config.training.accumulate),
        withThousands(config.training.steps)));
    return 0;
}

void printSummary(const ProgressView& view, const fs::path& directory)
{
    const auto folder = quoted(directory.string());
    if (view.lastEval) {
        const auto& eval = *view.lastEval;
        printLine(
            fmt::format("\nPerplexity {} per token, {} per word, {} bits per byte ({} tokens of the validation text)",
                figure(eval.perplexity), figure(eval.wordPerplexity), figure(eval.bitsPerByte),
                withThousands(eval.tokens)));
        if (const auto gap = gapClosed(view.references, eval))
            printLine(fmt::format(
                "{:.1f} % of the learnable gap closed: uniform {:.3f}, now {:.3f}, exact floor {:.3f} nats per token",
                *gap, view.references->uniform, eval.nll, *view.references->floor));
    }
    if (view.lastMixing) {
        const auto table = mixingTable(view.lastMixing->layers);
        if (!table.empty()) print("\nMixing weights\n" + table);
    }
    if (view.lastSample) printLine("\nSample\n" + harmless(view.lastSample->prompt + view.lastSample->text));
    printLine("\nRun directory " + directory.string());
    printLine("Look at it    pha-studio " + folder);
    printLine("Let it write  pha generate " + folder + " --prompt 'Once'");
}

int finish(RunState state, const ProgressView& view, const TrainingJob& job)
{
    const auto folder = job.directory().string();
    if (state == RunState::Diverged)
        throw DivergedError(view.lastStatus && !view.lastStatus->detail.empty() ? view.lastStatus->detail
                                                                                : "the loss stayed non-finite",
            "lower learning_rate and start again, or resume from a checkpoint in " + folder);
    if (state != RunState::Stopped) return 0;
    note("pha: stopped at step " + std::to_string(view.lastStep ? view.lastStep->step : 0)
        + "; continue with: pha train --resume " + quoted(folder));
    return 128 + (StopOnSignal::received() ? StopOnSignal::received() : SIGINT);
}

int train(const Options& options, const CLI::App& command)
{
    if (options.helpFields) return printFields();
    const bool resume = command.count("--resume") > 0;
    const auto request = resume ? resumeRequest(options, command) : newRequest(options, command);
    if (options.dryRun) return dryRun(request, options.json);

    StopOnSignal stop;
    ProgressView view(options.json);
    auto& engine = loadEngine();
    if (const auto info = engine.info(); !info.warning.empty()) note("pha: warning: " + oneLine(info.warning));
    const auto job = engine.openTraining(request, view, stop.token());
    view.setSteps(request.config.training.steps);
    view.clearBar();
    note("run directory " + oneLine(job->directory().string()));
    if (options.json) {
        printJson({ { "type", "run" }, { "directory", job->directory().string() },
            { "steps", request.config.training.steps } });
        flushOutput();
    }
    const auto state = job->run(view, stop.token());
    view.clearBar();
    if (!options.json) printSummary(view, job->directory());
    flushOutput();
    return finish(state, view, *job);
}

} // namespace

void addTrain(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand("train", "Train a model: a new run, or one that continues exactly");
    auto options = std::make_shared<Options>();
    command->add_option("--preset", options->preset, "Shape and recipe to start from ('pha presets' lists them)");
    command->add_option("--data", options->data, "Built-in corpus ('pha data list') or a text file");
    command->add_option("--run", options->run,
        "Folder of the new run; one with a fresh name under the default runs folder if left out");
    command->add_option("--resume", options->resume, "Run directory (or one of its checkpoints) to continue");
    command->add_option("--config", options->configFile, "JSON file with keys and values; a run.json is fine");
    command->add_option("--set", options->sets, "KEY=VALUE for any field (--help-fields lists them); may be repeated");
    command->add_option("--steps", options->steps, "Optimiser updates; with --resume it extends a run");
    command->add_option("--device", options->device, "auto, cpu or cuda");
    command->add_option("--precision", options->precision, "auto, fp32 or bf16");
    command->add_option("--threads", options->threads, "CPU threads; 0 lets the program choose");
    command->add_option("--seed", options->seed, "Seed of initial weights, data order and dropout");
    command->add_option("--name", options->name, "Name shown in lists; the folder's name if left out");
    command->add_flag("--dry-run", options->dryRun, "Print the whole configuration, parameters and memory, and leave");
    command->add_flag("--json", options->json, "Events on stdout, one JSON document a line");
    command->add_flag("--help-fields", options->helpFields, "List every configuration key with its range");
    command->footer("Later wins: preset, --config, --set, flags. SIGINT or SIGTERM once: checkpoint, then leave; "
                    "twice: leave now.\n"
                    "Example: pha train --preset pha-tiny --data stories --set layers=2 --steps 500");
    command->callback(
        [options, command, &program] { program.action = [options, command] { return train(*options, *command); }; });
}

} // namespace pha::cli
