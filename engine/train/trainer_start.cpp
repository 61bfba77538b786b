// SPDX-License-Identifier: GPL-3.0-or-later
// How a run begins or goes on: configuration, data, directory, weights. Everything that can be wrong is found out
// first.
#include "engine/base/error.h"
#include "engine/run/atomic_file.h"
#include "engine/system/device.h"
#include "engine/train/checkpoint.h"
#include "engine/train/trainer.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <ctime>
#include <fstream>

namespace pha {

namespace {

std::string nowUtc()
{
    const auto now = std::time(nullptr);
    std::tm utc {};
    gmtime_r(&now, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
}

std::int64_t availableMemory()
{
    std::ifstream file("/proc/meminfo");
    for (std::string name, unit; file >> name;) {
        std::int64_t kilobytes = 0;
        file >> kilobytes >> unit;
        if (name == "MemAvailable:") return kilobytes * 1024;
    }
    return 0;
}

} // namespace

RunFile Trainer::readOrPlan(const TrainingRequest& request)
{
    RunFile file;
    if (!request.resume) {
        file.name = request.name.empty() ? request.directory.filename().string() : request.name;
        file.created = nowUtc();
        file.config = request.config;
        return file;
    }
    file = RunDirectory(request.directory).read();
    for (const auto& key : request.overrides) {
        // What a resume may change is how long and where, not what is trained.
        if (!file.config.toJson()["training"].contains(key))
            throw ConfigError(
                key, "given with --resume", "only training fields; start a new run to change the model or the data");
        file.config.setJson(key, request.config.get(key));
    }
    return file;
}

Trainer::Trainer(const TrainingRequest& request, EventSink& progress, std::stop_token stop)
    : file_(readOrPlan(request))
    , config_(file_.config.training)
    , run_(request.directory)
{
    file_.config.validate();
    device_ = chooseDevice(config_.device);
    useThreads(int(config_.threads));
    if (!request.resume && run_.exists())
        throw CheckpointError(run_.root().string(), "there is a run in this folder already",
            "choose another folder, or continue it with --resume");
    if (request.resume)
        lock_ = std::make_unique<RunLock>(run_.root()); // before anything slow: the second process learns at once

    std::shared_ptr<const Tokenizer> tokenizer;
    if (request.resume && fs::exists(run_.tokenizerFile())) tokenizer = Tokenizer::load(run_.tokenizerFile());
    corpus_ = Corpus::open(file_.config.data, tokenizer, progress, stop);
    if (request.resume
        && file_.environment.value("tokenizer", corpus_->tokenizer()->fingerprint())
            != corpus_->tokenizer()->fingerprint())
        throw CheckpointError(run_.tokenizerFile().string(), "this is not the tokenizer that the run was trained with",
            "restore the run's own tokenizer.model");
    file_.config.model.vocabulary = corpus_->tokenizer()->size();
    if (const auto length = corpus_->exampleLength(); length > 0) config_.context = length;
    file_.config.validate();
    batches_ = corpus_->batches(config_.batchSize, config_.context, config_.seed);
    corpus_->split("valid");
    checkMemory();
    if (stop.stop_requested()) throw Error("the run was stopped before its first step", "start it again");
    build(request);
}

void Trainer::checkMemory() const
{
    const double needed = trainingBytes(file_.config);
    const auto available = device_.is_cuda() ? 0 : availableMemory();
    if (available > 0 && needed > double(available)) {
        char text[160];
        std::snprintf(text, sizeof text, "this run needs about %.1f GB and %.1f GB of memory are free", needed / 1e9,
            double(available) / 1e9);
        throw Error(text, "lower batch_size or context, or take a smaller preset", ExitCode::Usage);
    }
}

void Trainer::build(const TrainingRequest& request)
{
    model_ = std::make_shared<LanguageModel>(file_.config.model, std::uint64_t(config_.seed));
    model_->to(device_);
    optimizer_ = std::make_unique<AdamW>(*model_, config_);
    generator_ = device_.is_cuda() ? at::globalContext().defaultGenerator(device_)
                                   : at::detail::createCPUGenerator(std::uint64_t(config_.seed) + 0x9e3779b9);
    if (device_.is_cuda()) generator_->set_current_seed(std::uint64_t(config_.seed));

    std::optional<fs::path> from;
    if (request.resume) {
        if (!request.checkpoint.empty())
            from = request.checkpoint;
        else if (const auto all = run_.list(); !all.empty())
            from = run_.checkpoints() / all.back();
    }
    if (!from)
        matrix_ = choosePrecision(config_.precision, device_, file_.config.model, config_.batchSize * config_.context);

    if (!request.resume) {
        file_.environment["program"] = PHA_VERSION;
        file_.environment["libtorch"] = TORCH_VERSION;
        file_.environment["device"] = device_.str();
        file_.environment["precision"] = precisionName(matrix_);
        file_.environment["threads"] = at::get_num_threads();
        file_.environment["corpus"] = corpus_->description();
        file_.environment["corpus_fingerprint"] = corpus_->fingerprint();
        file_.environment["tokenizer"] = corpus_->tokenizer()->fingerprint();
        run_.create(file_);
        lock_ = std::make_unique<RunLock>(run_.root());
    } else {
        run_.write(file_);
    }
    // A process that died between creating the run and this line left no tokenizer: writing it again is harmless.
    if (!fs::exists(run_.tokenizerFile())) writeFileAtomically(run_.tokenizerFile(), corpus_->tokenizer()->model());
    metrics_ = std::make_unique<MetricsWriter>(run_.metricsFile());
    const auto& given = request.overrides;
    if (from)
        restore(*from, std::find(given.begin(), given.end(), "learning_rate") == given.end());
    else if (request.resume)
        metrics_->rewind(0); // it ended before its first checkpoint: from the beginning
    if (step_ == 0) metrics_->append(corpus_->references());
}

void Trainer::restore(const fs::path& folder, bool keepRate)
{
    if (!checkpointComplete(folder, true))
        throw CheckpointError(folder.string(), "the checkpoint is not complete", "resume from another one of the run");
    TrainingState state;
    state.generator = generator_;
    readTrainingState(folder, *model_, *optimizer_, state);
    if (state.corpus != corpus_->fingerprint())
        throw DataError(file_.config.data.data, "the text has changed since this run was trained on it",
            "restore the text, or start a new run");
    step_ = state.step;
    tokens_ = state.tokens;
    seconds_ = state.seconds;
    bestNll_ = state.bestNll;
    plateau_ = state.plateau;
    if (keepRate) config_.learningRate = state.learningRate; // as a user may have changed it while the run went on
    lastSave_ = lastEval_ = step_;
    lastNll_ = bestNll_;
    batches_->restore(state.data);
    // The precision is part of what "continues exactly" means; a change of device or an explicit wish wins.
    matrix_ = config_.precision != "auto" ? choosePrecision(config_.precision, device_, file_.config.model, 1)
        : state.precision == "bf16"       ? torch::kBFloat16
                                          : torch::kFloat;
    metrics_->rewind(state.metricsOffset);
    if (step_ >= config_.steps)
        throw ConfigError("steps", std::to_string(config_.steps),
            "more than the " + std::to_string(step_) + " steps that this run has done; give --steps");
}

} // namespace pha
