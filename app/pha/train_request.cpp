// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/train_request.h"

#include "app/pha/terminal.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/config/conversion.h"
#include "engine/data/catalogue.h"
#include "engine/data/corpus.h"
#include "engine/data/prepare.h"
#include "engine/data/tasks.h"
#include "engine/run/course.h"
#include "engine/run/fork_point.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_overview.h"
#include "engine/run/weight_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace pha::cli {

namespace {

/// Whether an option was given; commands that do not have it were not given it.
bool given(const CLI::App& command, const std::string& option)
{
    const auto* known = command.get_option_no_throw(option);
    return known && known->count() > 0;
}

/// What the user set by --set and flags, in order of precedence.
std::vector<Setting> settings(const TrainOptions& options, const CLI::App& command)
{
    std::vector<Setting> list;
    for (const auto& text : options.sets) list.push_back(parseSetting(text));
    const std::pair<const char*, const std::string&> flags[] = { { "data", options.data }, { "steps", options.steps },
        { "device", options.device }, { "devices", options.devices }, { "precision", options.precision },
        { "threads", options.threads }, { "seed", options.seed } };
    for (const auto& [key, value] : flags)
        if (given(command, "--" + std::string(key))) list.emplace_back(key, value);
    return list;
}

/// A --config file in any of its forms: run.json, the three groups, one flat object.
RunConfig readConfigFile(const std::string& path, const RunConfig& base)
{
    return RunConfig::fromJson(parseJsonStrict(readFile(path, 16 << 20), path), base);
}

/// The model to be converted gives the shape, unless a preset does, and the text in any case. Returns its shape.
ModelConfig convertInto(RunConfig& config, const TrainOptions& options)
{
    if (options.convertFrom.empty()) throw ConfigError("--convert-from", "", "a run or a checkpoint of one");
    const auto teacher = RunDirectory(runNamed(options.convertFrom)).read().config;
    if (options.preset.empty()) {
        config.model = convertedModel(teacher.model);
        config.training = convertedTraining(teacher);
    } else {
        fineTune(config.training);
    }
    config.data = teacher.data;
    return teacher.model;
}

/// Long enough for the feature maps to settle, but at most half of a short run.
std::int64_t usualDistillation(const RunConfig& config)
{
    constexpr std::int64_t enough = 200;
    return std::min(enough, config.training.steps / 2);
}

} // namespace

RunConfig newConfig(const TrainOptions& options, const CLI::App& command, const std::vector<Setting>& more)
{
    const bool converts = given(command, "--convert-from");
    if (options.preset.empty() && options.configFile.empty() && !converts)
        throw Error(
            "no model chosen", "add --preset NAME ('pha presets' lists them) or --config FILE", ExitCode::Usage);
    auto set = settings(options, command);
    set.insert(set.end(), more.begin(), more.end());
    std::optional<ModelConfig> teacher;
    const auto build = [&](const std::string& data) {
        RunConfig config;
        if (!options.preset.empty()) config = startingPoint(findPreset(options.preset), data);
        if (converts) teacher = convertInto(config, options);
        if (!options.configFile.empty()) config = readConfigFile(options.configFile, config);
        for (const auto& [key, value] : set) config.set(key, value);
        return config;
    };
    auto config = build(build({}).data.data); // the data decide what the preset's recipe is
    if (teacher) checkConversion(*teacher, config.model);
    if (teacher && std::none_of(set.begin(), set.end(), [](const auto& s) { return s.first == "distill_steps"; }))
        config.training.distillSteps = usualDistillation(config);
    settleData(config.data);
    config.validate();
    return config;
}

namespace {

void placeRun(
    TrainingRequest& request, const TrainOptions& options, const CLI::App& command, const std::string& usualName)
{
    if (command.count("--run") > 0 && options.run.empty()) throw ConfigError("--run", "", "a folder for the new run");
    if (options.run.empty()) request.folderName = usualName;
    request.directory = options.run.empty() ? freshRunDirectory(defaultRunsFolder(), usualName) : fs::path(options.run);
    request.name = options.name;
}

TrainingRequest newRequest(const TrainOptions& options, const CLI::App& command)
{
    TrainingRequest request;
    request.config = newConfig(options, command);
    const auto data = isBuiltinCorpus(request.config.data.data) ? request.config.data.data
                                                                : fs::path(request.config.data.data).stem().string();
    const auto name = (!request.config.preset.empty()       ? request.config.preset
                              : options.convertFrom.empty() ? "run"
                                                            : "hedgehog")
        + "-" + (data.empty() ? "data" : data);
    placeRun(request, options, command, name);
    if (command.count("--init-from") > 0 && options.initFrom.empty())
        throw ConfigError("--init-from", "", "a run, a checkpoint or a safetensors file");
    if (!options.initFrom.empty() && weightFiles(options.initFrom).empty())
        resolveCheckpoint(checkpointGiven(options.initFrom)); // which says what is wrong
    request.initFrom = options.initFrom;
    request.convertFrom = options.convertFrom;
    return request;
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
    const bool kept = std::count(request.overrides.begin(), request.overrides.end(), "steps") == 0;
    if (done == steps && kept && !saidItsEnd(request.directory)) return; // the run says its end, which is all it lacks
    if (done >= steps)
        throw ConfigError("steps", std::to_string(steps),
            fmt::format("more than the {} steps that this run has done; extend it with --steps", done));
}

/// Two names of one file are no change.
void keepSpelling(std::string& given, const std::string& stored)
{
    std::error_code error;
    if (given != stored && fs::equivalent(given, stored, error) && !error) given = stored;
}

void refuseBeside(const std::string& option, std::initializer_list<const char*> others, const std::string& advice,
    const CLI::App& command)
{
    for (const auto* other : others)
        if (command.count(other) > 0)
            throw Error(std::string(other) + " does not go with " + option, advice, ExitCode::Usage);
}

/// What the user set on top of what a run has: --config, --set, flags.
RunConfig withSettings(const RunConfig& stored, const TrainOptions& options, const CLI::App& command)
{
    auto config = stored;
    if (!options.configFile.empty()) config = readConfigFile(options.configFile, config);
    for (const auto& [key, value] : settings(options, command)) config.set(key, value);
    settleData(config.data);
    keepSpelling(config.data.data, stored.data.data);
    keepSpelling(config.data.tokenizer, stored.data.tokenizer);
    return config;
}

TrainingRequest forkRequest(const TrainOptions& options, const CLI::App& command)
{
    refuseBeside("--fork", { "--resume", "--preset", "--init-from", "--convert-from" },
        "leave one of them out: a fork has the shape and the weights of the run that it comes from", command);
    if (options.fork.empty()) throw ConfigError("--fork", "", "a run or one of its checkpoints");
    warnOfDamage(options.fork);
    const auto point = readForkPoint(options.fork);
    TrainingRequest request;
    // The run itself, if it was named: if it is trained, this checkpoint may be removed before it is read.
    request.forkFrom = RunDirectory(options.fork).exists() ? fs::path(options.fork) : point.checkpoint;
    request.config = withSettings(point.config, options, command);
    checkFork(point, request.config);
    refuseIfDataIsGone(request.config.data.data);
    request.config.validate();
    placeRun(
        request, options, command, fmt::format("{}-from-{}", point.parent.path.filename().string(), point.parent.step));
    return request;
}

TrainingRequest replayRequest(const TrainOptions& options, const CLI::App& command)
{
    refuseBeside("--replay", { "--resume", "--fork", "--preset", "--init-from", "--convert-from" },
        "leave one of them out: a replay begins as the run did that it repeats", command);
    if (options.replay.empty()) throw ConfigError("--replay", "", "a run");
    const auto replay = readReplay(runNamed(options.replay));
    auto request = replay.request();
    request.config = withSettings(replay.config, options, command);
    refuseIfDataIsGone(request.config.data.data);
    request.config.validate();
    placeRun(request, options, command, replay.run.filename().string() + "-replay");
    return request;
}

/// What moments and the place in the training data are of: no checkpoint is gone on from with others.
constexpr const char* boundToCheckpoint[] { "optimizer", "batch_size", "context", "seed" };

void refuseOnResume(const std::string& group, const std::string& key)
{
    throw Error(key + " cannot change when a run is resumed",
        freeInFork(key)           ? "leave it out, or go on in a run of its own, with --fork instead of --resume"
            : group == "training" ? "leave it out, or start a new run with --init-from, which takes the weights alone"
                                  : "leave it out, or start a new run",
        ExitCode::Usage);
}

TrainingRequest resumeRequest(const TrainOptions& options, const CLI::App& command)
{
    refuseBeside("--resume", { "--preset", "--run", "--name", "--init-from", "--convert-from" },
        "leave it out: the run keeps its own", command);
    TrainingRequest request;
    request.resume = true;
    request.directory = options.resume;
    if (!RunDirectory(request.directory).exists()) {
        // Not a run, so a checkpoint of one, or an error that says what it is instead.
        request.checkpoint = resolveCheckpoint(options.resume);
        request.directory = runOfCheckpoint(request.checkpoint);
    }
    refuseIfAllDamaged(request.directory);
    if (request.checkpoint.empty()) warnOfDamage(options.resume);
    const auto stored = readToResume(request.directory, request.checkpoint).config;
    auto own = stored;
    own.training.stopAfter = 0; // was asked of an earlier process, not of this one
    request.config = withSettings(own, options, command);
    const bool begun = !request.checkpoint.empty() || !RunDirectory(request.directory).list().empty();
    for (const auto& [group, field] : allFields())
        if (request.config.get(field.name) != stored.get(field.name)) {
            const bool moved = field.name == "data" && !isBuiltinCorpus(stored.data.data)
                && !isBuiltinCorpus(request.config.data.data);
            const bool bound =
                begun && std::count(std::begin(boundToCheckpoint), std::end(boundToCheckpoint), field.name) > 0;
            if ((group != "training" && !moved) || bound) refuseOnResume(group, field.name);
            request.overrides.push_back(field.name);
        }
    refuseIfDataIsGone(request.config.data.data);
    request.config.validate();
    refuseIfDone(request);
    return request;
}

} // namespace

void refuseIfAllDamaged(const fs::path& directory)
{
    const RunDirectory run(directory);
    std::error_code error;
    if (!run.list().empty() || !fs::is_directory(run.checkpoints(), error)) return;
    for (const auto& entry : fs::directory_iterator(run.checkpoints(), error))
        if (entry.path().filename().string().starts_with("step-"))
            throw CheckpointError(entry.path().string(), "damaged, and no other checkpoint of the run is intact",
                "restore it from a copy, or start a new run");
}

namespace {

/// What the run itself would refuse once it has opened the corpus.
void refuseIfSplitsAreMissing(const std::string& data)
{
    const auto path = isBuiltinCorpus(data) ? fs::path() : resolveCorpus(data);
    if (path.empty() || !isPreparedCorpus(path)) return;
    const auto card = readCorpusCard(path);
    for (std::size_t split = 0; split < 2; ++split) // train and valid
        if (card.splits[split].tokens < 2)
            throw DataError(data, fmt::format("has no text for the split '{}'", splitNames[split]),
                "prepare the corpus with a share for this one");
}

/// The tokenizer of the run that a new one goes on from, is converted from or repeats; null if it has its own.
std::shared_ptr<const Tokenizer> takenTokenizer(const TrainingRequest& request)
{
    const auto& taken = request.forkFrom.empty() ? request.convertFrom : request.forkFrom;
    if (!taken.empty()) return Tokenizer::load(RunDirectory(runNamed(taken)).tokenizerFile());
    const RunDirectory repeated(request.replayOf);
    if (request.replayOf.empty() || repeated.read().config.data.tokenizer != request.config.data.tokenizer)
        return nullptr;
    return Tokenizer::load(repeated.tokenizerFile());
}

} // namespace

std::shared_ptr<const Tokenizer> plannedTokenizer(const TrainingRequest& request)
{
    auto data = request.config.data;
    const auto taken = takenTokenizer(request);
    if (taken) data.tokenizer = "auto"; // the one that is named is not looked for
    if (const auto* entry = findInCatalogue(data.data); entry && downloadState(*entry) != DownloadState::Present) {
        note("pha: note: " + data.data + " is not downloaded yet; get it with: pha data download " + data.data);
        return taken ? taken : Tokenizer::given(data);
    }
    const auto known = Corpus::knownTokenizer(data); // throws if there are no such data
    refuseIfSplitsAreMissing(data.data);
    if (taken) return taken;
    if (request.initFrom.empty()) return known;
    const auto ofWeights = tokenizerOfWeights(request.initFrom);
    if (ofWeights && known) requireTheirTokenizer(request.initFrom, *ofWeights, *known);
    return ofWeights && comesWithWeights(*ofWeights, data) ? ofWeights : known;
}

bool settlePlanned(const TrainingRequest& request, RunConfig& config)
{
    const auto tokenizer = plannedTokenizer(request);
    config.model.vocabulary = tokenizer ? tokenizer->size() : config.data.vocabSize;
    settleTaskShape(config);
    return tokenizer != nullptr;
}

void noteIdleData(const DataConfig& data, const std::vector<std::string>& fields)
{
    for (const auto& field : fields)
        if (!Corpus::fieldMatters(data, field))
            note("pha: note: " + field + " changes nothing with the data " + oneLine(data.data));
}

void refuseIfDataIsGone(const std::string& data)
{
    std::error_code error;
    if (fs::path(data).is_absolute() && !fs::exists(data, error))
        throw DataError(data, "the text of this run is not there", "give the place where it is now with --data PATH");
}

void addRecipeOptions(CLI::App& command, TrainOptions& options)
{
    command.add_option("--preset", options.preset, "Shape and recipe to start from ('pha presets' lists them)");
    command.add_option(
        "--data", options.data, "Built-in corpus ('pha data list'), or a file (.txt, .jsonl, .parquet) or folder");
    command.add_option("--config", options.configFile, "JSON file with keys and values; a run.json is fine");
    command
        .add_option(
            "--set", options.sets, "KEY=VALUE for any field (pha train --help-fields lists them); may be repeated")
        ->allow_extra_args(false);
    command.add_option("--device", options.device, "auto, cpu or cuda");
    command.add_option("--precision", options.precision, "auto, fp32 or bf16");
    command.add_option("--devices", options.devices, "Cards that share each micro-batch's sequences (1)");
    command.add_option("--threads", options.threads, "CPU threads; 0 lets the program choose");
    command.add_option("--seed", options.seed, "Seed of initial weights, data order and dropout");
}

TrainingRequest trainingRequest(const TrainOptions& options, const CLI::App& command)
{
    if (command.count("--replay") > 0) return replayRequest(options, command);
    if (command.count("--fork") > 0) return forkRequest(options, command);
    return command.count("--resume") > 0 ? resumeRequest(options, command) : newRequest(options, command);
}

} // namespace pha::cli
