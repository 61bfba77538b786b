// SPDX-License-Identifier: GPL-3.0-or-later
// How a run begins or goes on: configuration, data, directory, weights. Everything that can be wrong is found out
// first.
#include "engine/base/atomic_file.h"
#include "engine/base/disk_space.h"
#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "engine/base/text.h"
#include "engine/config/conversion.h"
#include "engine/model/import_weights.h"
#include "engine/run/run_overview.h"
#include "engine/run/weight_files.h"
#include "engine/torch/device.h"
#include "engine/torch/torch_version.h"
#include "engine/train/checkpoint.h"
#include "engine/train/conversion.h"
#include "engine/train/trainer.h"

#include <algorithm>

namespace pha {

namespace {

/// Read here they cost nothing; counting them takes longer than all else of a short resume.
std::optional<ReferenceEvent> recordedReferences(const RunDirectory& run)
{
    MetricsReader reader(run.metricsFile(), "references");
    do
        for (const auto& event : reader.poll(1))
            if (const auto* references = std::get_if<ReferenceEvent>(&event)) return *references;
    while (!reader.atEnd());
    return {};
}

} // namespace

RunFile Trainer::readOrPlan(const TrainingRequest& request)
{
    RunFile file;
    if (!request.resume) {
        file.name = request.name.empty() ? wholePath(request.directory).filename().string() : request.name;
        file.created = timestampUtc();
        file.config = request.config;
        return file;
    }
    RunDirectory(request.directory).require();
    // Before anything is read, as its holder may still change it, and before anything slow: the second process learns
    // at once.
    lock_ = std::make_unique<RunLock>(request.directory);
    file = readToResume(request.directory, request.checkpoint);
    stood_ = file.config;
    for (const auto& key : request.overrides) {
        // What a resume may change is how long and where, not what is trained. A text may have moved.
        if (key != "data" && !file.config.toJson()["training"].contains(key))
            throw ConfigError(
                key, "given with --resume", "only training fields; start a new run to change the model or the data");
        if (key == "distill_steps")
            throw ConfigError(key, "given with --resume", "the run's own, on which its course depends");
        file.config.setJson(key, request.config.get(key));
    }
    return file;
}

std::shared_ptr<LanguageModel> Trainer::readTeacher(const TrainingRequest& request)
{
    if (request.resume) return nullptr; // what was taken over is in the run's own weights
    const auto& path = request.convertFrom;
    if (path.empty() && !fork_ && config_.distillSteps > 0)
        throw ConfigError("distill_steps", std::to_string(config_.distillSteps),
            "0 in a run that converts no softmax model (--convert-from)");
    if (path.empty()) return nullptr;
    return readCheckpoint(path, [&](const fs::path& folder) {
        auto teacher = readModel(folder / "model.safetensors");
        checkConversion(teacher->config(), file_.config.model);
        file_.environment["converted_from"] = fs::absolute(folder).string();
        return teacher;
    });
}

Trainer::Trainer(const TrainingRequest& request, EventSink& progress, const std::stop_token& stop)
    : file_(readOrPlan(request))
    , config_(file_.config.training)
    , run_(request.directory)
{
    file_.config.validate();
    if (!request.forkFrom.empty()) openFork(request);
    device_ = chooseDevice(config_.device);
    requireDevices(device_, config_.devices);
    shareThreads(device_, config_.threads, config_.devices);
    if (!request.resume) {
        if (!request.folderName.empty()) takeFreshFolder(request);
        run_.requireFresh();
    }
    if (request.others.count > 0) hosts_ = std::make_unique<Hosts>(request.others);

    const auto teacher = readTeacher(request);
    std::shared_ptr<const Tokenizer> tokenizer;
    if (request.resume && fs::exists(run_.tokenizerFile())) tokenizer = Tokenizer::load(run_.tokenizerFile());
    // An embedding means nothing with another tokenizer.
    if (teacher) tokenizer = Tokenizer::load(RunDirectory(runNamed(request.convertFrom)).tokenizerFile());
    if (fork_) tokenizer = Tokenizer::load(RunDirectory(fork_->parent.path).tokenizerFile());
    std::optional<Replay> replay;
    if (!request.replayOf.empty()) {
        replay = readReplay(request.replayOf);
        file_.environment["replay"] = replay->toJson();
        if (!tokenizer && replay->config.data.tokenizer == file_.config.data.tokenizer)
            tokenizer = Tokenizer::load(RunDirectory(replay->run).tokenizerFile());
    }
    std::shared_ptr<const Tokenizer> ofWeights; // a replay has the one of the run that it repeats
    if (!request.initFrom.empty() && !tokenizer) ofWeights = tokenizerOfWeights(request.initFrom);
    if (ofWeights && comesWithWeights(*ofWeights, file_.config.data)) tokenizer = ofWeights;
    corpus_ = Corpus::open(file_.config.data, tokenizer, progress, stop);
    if (ofWeights) requireTheirTokenizer(request.initFrom, *ofWeights, *corpus_->tokenizer());
    if (request.resume
        && file_.environment.value("tokenizer", corpus_->tokenizer()->fingerprint())
            != corpus_->tokenizer()->fingerprint())
        throw CheckpointError(run_.tokenizerFile().string(), "this is not the tokenizer that the run was trained with",
            "restore the run's own tokenizer.model");
    if (request.resume
        && file_.environment.value("corpus_fingerprint", corpus_->fingerprint()) != corpus_->fingerprint())
        throw DataError(file_.config.data.data, "the text is not the one that this run was trained on",
            "restore the text, name it with --data, or start a new run");
    if (replay && replay->config.data.data == file_.config.data.data && !replay->corpus.empty()
        && replay->corpus != corpus_->fingerprint())
        throw DataError(file_.config.data.data, "the text is not the one that the run was trained on",
            "restore the text; another one can be named with --data");
    if (fork_ && tokenizer->fingerprint() != corpus_->tokenizer()->fingerprint())
        throw DataError(file_.config.data.data, "its tokens are not those of the run that is forked",
            "name a text that the run's own tokenizer reads");
    file_.config.model.vocabulary = corpus_->tokenizer()->size();
    if (const auto length = corpus_->exampleLength(); length > 0) config_.context = length;
    file_.config.validate();
    batches_ = corpus_->batches(config_.batchSize, config_.context, config_.seed);
    corpus_->split("valid");
    checkMemory();
    checkDisk(request.resume);
    if (hosts_) hosts_->gather(file_.config, device_, progress, stop);
    if (stop.stop_requested()) throw Error("the run was stopped before its first step", "start it again");
    build(request, teacher.get(), progress);
}

void Trainer::checkMemory() const
{
    const double needed = double(config_.devices) * trainingBytes(file_.config);
    const auto available = device_.is_cuda() ? 0 : availableMemory();
    if (available > 0 && needed > double(available)) {
        char text[160];
        std::snprintf(text, sizeof text, "this run needs about %.1f GB and %.1f GB of memory are free", needed / 1e9,
            double(available) / 1e9);
        throw Error(text, "lower batch_size or context, or take a smaller preset", ExitCode::Usage);
    }
}

void Trainer::checkDisk(bool resume) const
{
    if (resume)
        requireFree(run_.root(), "the next checkpoint", checkpointBytes(file_.config));
    else
        requireFree(run_.root(), "a run with keep_checkpoints " + std::to_string(config_.keepCheckpoints),
            diskBytes(file_.config));
}

void Trainer::build(const TrainingRequest& request, const LanguageModel* teacher, EventSink& progress)
{
    auto model = std::make_shared<LanguageModel>(file_.config.model, std::uint64_t(config_.seed));
    if (teacher) takeOverWeights(*teacher, *model);
    model->to(device_);
    if (!request.initFrom.empty()) start(*model, request.initFrom, progress);
    team_ = std::make_unique<Team>(std::move(model), config_, std::move(hosts_));
    team_->each([&](const Learner& learner) {
        if (device_.is_cpu() && learner.number > 0) return; // one meter sees all of a processor
        if (auto meter = meterOf(learner.device)) meters_.push_back(std::move(meter));
    });

    const auto from = fork_ ? fs::path() : newestCheckpoint(request);
    averages_ = std::make_unique<WeightAverages>(run_, config_);
    TrainingState state;
    std::string dataAnew;
    if (fork_) {
        state = readParent(request);
        dataAnew = takeCourse(state);
    } else if (!from.empty()) {
        state = readState(from);
        restore(state);
    } else {
        if (request.resume && beginsWithGivenWeights())
            throw CheckpointError(run_.root().string(), "the run ended before it saved the weights that it began with",
                "start it again in another folder");
        matrix_ = choosePrecision(config_.precision, device_, file_.config.model, config_.batchSize * config_.context);
    }
    if (fork_ ? state.corpus == corpus_->fingerprint() : !from.empty()) // it goes on with the text that they are of
        references_ = recordedReferences(fork_ ? RunDirectory(fork_->parent.path) : run_);
    if (!references_) references_ = corpus_->references(); // tokens that cannot be counted leave no run behind
    if (!request.resume) createRun(request);
    // A process that died between creating the run and this line left no tokenizer: writing it again is harmless.
    if (!fs::exists(run_.tokenizerFile())) writeFileAtomically(run_.tokenizerFile(), corpus_->tokenizer()->model());
    metrics_ = std::make_unique<MetricsWriter>(run_.metricsFile());
    if (fork_)
        beginFork(state, dataAnew, progress);
    else if (!from.empty())
        cutBack(from, state, progress);
    else if (request.resume)
        metrics_->rewind(0); // it ended before its first checkpoint: from the beginning
    if (request.resume) { // one that is refused has changed nothing
        file_.name = run_.read(RunUse::View).name; // it may be another since this began
        run_.write(file_);
    }
    if (from.empty()) metrics_->append(*references_);
    changesToCome_ = pha::changesToCome(file_, step_);
    team_->follow(matrix_);
}

fs::path Trainer::newestCheckpoint(const TrainingRequest& request) const
{
    if (!request.resume || !request.checkpoint.empty()) return request.checkpoint;
    const auto all = run_.list();
    return all.empty() ? fs::path() : run_.checkpoints() / all.back();
}

/// The one that was found free may be another run's by now.
void Trainer::takeFreshFolder(const TrainingRequest& request)
{
    run_ = RunDirectory(freshRunDirectory(request.directory.parent_path(), request.folderName));
    if (request.name.empty()) file_.name = run_.root().filename().string();
}

void Trainer::createRun(const TrainingRequest& request)
{
    file_.environment["program"] = PHA_VERSION;
    file_.environment["libtorch"] = TORCH_VERSION;
    file_.environment["device"] = device_.str();
    if (const auto processor = processorName(); !processor.empty()) file_.environment["processor"] = processor;
    if (device_.is_cuda()) file_.environment["card"] = deviceName(std::max(0, int(device_.index())));
    if (config_.devices > 1) file_.environment["devices"] = config_.devices;
    if (const auto others = team_->otherComputers(); !others.empty()) file_.environment["computers"] = others;
    file_.environment["precision"] = precisionName(matrix_);
    file_.environment["threads"] = at::get_num_threads();
    file_.environment["corpus"] = corpus_->description();
    file_.environment["corpus_fingerprint"] = corpus_->fingerprint();
    file_.environment["tokenizer"] = corpus_->tokenizer()->fingerprint();
    if (request.folderName.empty())
        run_.create(file_);
    else
        while (!run_.tryCreate(file_)) takeFreshFolder(request);
    lock_ = std::make_unique<RunLock>(run_.root());
}

bool Trainer::beginsWithGivenWeights() const
{
    const auto& environment = file_.environment;
    return environment.contains("init_from") || environment.contains("converted_from")
        || environment.contains("parent");
}

void Trainer::start(LanguageModel& model, const fs::path& weights, EventSink& progress)
{
    auto files = weightFiles(weights);
    const auto report =
        !files.empty() ? importWeights(model, files) : readCheckpoint(weights, [&](const fs::path& folder) {
            files = { folder / "model.safetensors" };
            return importWeights(model, files);
        });
    const auto from =
        files.size() == 1 ? files.front().string() : std::to_string(files.size()) + " files in " + weights.string();
    const auto place = fs::absolute(files.size() == 1 ? files.front() : weights); // a replay may begin elsewhere
    auto& said = file_.environment["init_from"];
    said = { { "file", place.string() }, { "tensors", report.text() } };
    if (files.size() > 1) said["files"] = files.size();
    progress.publish(StatusEvent { 0, RunState::Preparing, "initial weights from " + from + ": " + report.text() });
}

TrainingState Trainer::readState(const fs::path& folder)
{
    if (const auto problem = checkpointProblem(folder, true); !problem.empty())
        throw CheckpointError(
            folder.string(), "is not a complete checkpoint: " + problem, "take another one of the run, by its path");
    requireConfiguration(folder / "model.safetensors", fork_ ? fork_->config.model : file_.config.model);
    TrainingState state;
    readTrainingState(folder, model(), optimizer(), state, prunes() ? Extra::Leave : Extra::Refuse);
    try { // a generator of another kind of device, or of one more, takes none: its masks are drawn anew from the seed
        if (torch::Device(state.device).type() == device_.type()) team_->setRandom(state.random);
    } catch (const c10::Error&) {
        throw CheckpointError(folder.string(), "the random generator's state belongs to another LibTorch",
            "resume with the version that wrote it");
    }
    // A process may die between its last checkpoint and the word that the run has finished.
    const bool lacksItsEnd =
        !fork_ && state.step == config_.steps && stood_.training.steps == config_.steps && !saidItsEnd(run_.root());
    if (state.step >= config_.steps && !lacksItsEnd)
        throw ConfigError("steps", std::to_string(config_.steps),
            "more than the " + std::to_string(state.step) + " steps that this run has done; give --steps");
    step_ = state.step;
    tokens_ = state.tokens;
    seconds_ = state.seconds;
    due_ = state.due;
    // The precision is part of what "continues exactly" means; a change of device or an explicit wish wins.
    const bool moved = torch::Device(state.device).type() != device_.type();
    matrix_ = config_.precision != "auto" || moved
        ? choosePrecision(config_.precision, device_, file_.config.model, config_.batchSize * config_.context)
        : state.precision == "bf16" ? torch::kBFloat16
                                    : torch::kFloat;
    return state;
}

void Trainer::restore(const TrainingState& state)
{
    if (state.corpus != corpus_->fingerprint()) // of an older program's run, whose run.json does not say it
        throw DataError(file_.config.data.data, "the text is not the one that this run was trained on",
            "restore the text, name it with --data, or start a new run");
    bestNll_ = state.bestNll;
    plateau_ = state.plateau;
    watch_.restore(state.watch);
    alertLimit_.restore(state.alerts.value("limit", Json()));
    restoreUsual(state.alerts);
    nonFinite_ = state.alerts.value("not_finite", std::int64_t(0));
    checkSkips(stood_, file_.config, step_);
    lastSave_ = lastEval_ = step_;
    lastNll_ = bestNll_;
    batches_->restore(state.data);
}

/// What came after the checkpoint belongs to a course that no longer is.
void Trainer::cutBack(const fs::path& checkpoint, const TrainingState& state, EventSink& progress)
{
    averages_->readEma(checkpoint, model());
    const auto missing = averages_->restore(checkpoint, state.averages);
    const auto machine = [](const std::string& device, std::int64_t devices, int threads) {
        const auto one = device != "cpu" ? device : std::to_string(threads) + (threads == 1 ? " thread" : " threads");
        return devices == 1 ? one : std::to_string(devices) + " times " + one;
    };
    std::string moved;
    const auto compare = [&](const char* word, const std::string& here, const std::string& before) {
        if (here != before) moved += (moved.empty() ? "" : ", ") + std::string(word) + here + " instead of " + before;
    };
    compare("on ", machine(device_.str(), std::int64_t(team_->members()), at::get_num_threads()),
        machine(state.device, state.devices, state.threads));
    compare("in ", precisionName(matrix_), state.precision);
    if (!state.libtorch.empty()) compare("with LibTorch ", TORCH_VERSION, state.libtorch);
    setAsideLaterCheckpoints(run_, step_);
    // A kill between this checkpoint and its pointers left them at earlier ones.
    const auto pointHere = [&, here = checkpoint.filename().string()](const char* name) {
        if (checkpointStep(here) && run_.pointer(name) != here) run_.setPointer(name, here);
    };
    pointHere("latest");
    if (state.best) pointHere("best");
    if (!run_.pointer("best")) // it was a later one: the next evaluation is the best that is kept
        bestNll_ = lastNll_ = std::numeric_limits<double>::infinity();
    metrics_->rewind(state.metricsOffset);
    if (!moved.empty())
        putOnRecord(
            StatusEvent { step_, RunState::Preparing, moved + ", so sums are rounded differently from here on" },
            progress);
    tellMissing(missing, progress);
    for (const auto& change : changesOnResume(stood_, file_.config, step_)) {
        metrics_->append(toEvent(change));
        changedByResume_ = true;
        lastSave_ = -1; // it has the settings before, with which another resume would go on
    }
}

void Trainer::putOnRecord(const Event& event, EventSink& progress)
{
    metrics_->append(event);
    progress.publish(event);
}

} // namespace pha
