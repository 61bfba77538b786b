// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/trainer.h"

#include "engine/base/error.h"
#include "engine/eval/evaluator.h"
#include "engine/eval/loaded_model.h"
#include "engine/system/device.h"
#include "engine/train/checkpoint.h"

#include <cmath>

namespace pha {

namespace {
/// So many updates in a row whose loss or gradient is not finite end a run.
constexpr std::int64_t patienceForNonFinite = 10;
} // namespace

/// Evaluate, sample and save "once in a while", then one training section.
RunState Trainer::run(EventSink& sink, std::stop_token stop)
{
    {
        const std::lock_guard lock(mutex_);
        sink_ = &sink; // from here on snapshots are served
    }
    useThreads(int(config_.threads));
    useBlasThreads(matrix_);
    startedAt_ = step_;
    sink.publish(corpus_->references()); // in the file since the run was created
    emit(StatusEvent { step_, RunState::Running, {} });
    const std::stop_callback wakeUp(stop, [this] { wake_.notify_all(); });
    try {
        while (step_ < config_.steps) {
            serve(stop);
            if (stop.stop_requested()) return finish(RunState::Stopped, "stopped by the user");
            if (config_.stopAfter > 0 && step_ - startedAt_ >= config_.stopAfter)
                return finish(RunState::Stopped, "stop_after reached");
            if (!update())
                return finish(
                    RunState::Diverged, std::to_string(patienceForNonFinite) + " updates in a row were not finite");
            intervals();
        }
        return finish(RunState::Finished, {});
    } catch (const std::exception& error) {
        // The disk may be what failed: the status is a courtesy, the error is what counts.
        try {
            emit(StatusEvent { step_, RunState::Failed, error.what() });
        } catch (const std::exception&) { // nothing is left to report to
        }
        const std::lock_guard lock(mutex_);
        ended_ = true;
        waiting_.clear();
        throw;
    }
}

/// One optimiser update from `accumulate` micro-batches. False: the run has diverged.
bool Trainer::update()
{
    const auto started = std::chrono::steady_clock::now();
    const double rate = config_.learningRate * scheduleShare(config_, step_) * plateau_.factor;
    optimizer_->zeroGrad();
    Pass pass;
    pass.matrix = matrix_;
    pass.training = true;
    pass.dropout = config_.dropout;
    pass.branchDropout = config_.branchDropout;
    pass.generator = generator_;
    const bool regularised = config_.entropyBonus > 0 || config_.priorWeight > 0 || config_.attentionCost > 0;

    double loss = 0;
    std::int64_t scored = 0;
    std::vector<Batch> micro;
    for (std::int64_t i = 0; i < config_.accumulate; ++i) {
        micro.push_back(batches_->next());
        for (const auto target : micro.back().targets) scored += target >= 0;
    }
    for (auto& batch : micro) {
        const auto shape = std::vector<std::int64_t> { batch.rows, batch.context };
        const auto ids = torch::from_blob(batch.ids.data(), shape, torch::kLong).to(device_);
        const auto targets = torch::from_blob(batch.targets.data(), shape, torch::kLong).to(device_);
        std::vector<Tensor> means;
        if (regularised) pass.meanWeights = &means;
        auto part = model_->lossSum(ids, targets, pass) / double(scored);
        loss += part.item<double>();
        if (regularised) part = part + regulariser(means) / double(config_.accumulate);
        part.backward();
    }
    if (step_ >= failFrom_ && step_ < failTo_) loss = std::numeric_limits<double>::quiet_NaN();

    // One non-finite gradient makes the norm non-finite: the update is left out before anything is touched.
    const double norm = optimizer_->gradNorm();
    const bool finite = std::isfinite(loss) && std::isfinite(norm);
    nonFinite_ = finite ? 0 : nonFinite_ + 1;
    if (finite) optimizer_->step(rate, config_.clip > 0 && norm > config_.clip ? config_.clip / norm : 1.0);
    synchronize(device_);

    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    ++step_;
    tokens_ += scored;
    seconds_ += took;
    emit(StepEvent { step_, tokens_, seconds_, loss, rate, norm, double(scored) / took, processBytes(),
        peakBytes(device_), finite });
    resetPeakBytes(device_);
    return nonFinite_ < patienceForNonFinite;
}

/// models.md 5.4, summed over the layers' mean weights (K): entropy bonus, KL to a prior, cost of attention.
Tensor Trainer::regulariser(const std::vector<Tensor>& meanWeights) const
{
    const auto names = file_.config.model.branchList();
    const auto K = double(names.size());
    const double fade = std::max(0.0, 1 - 2 * double(step_) / double(config_.steps)); // 0 from half of training on
    std::vector<double> prior;
    for (std::size_t i = 0; i < config_.prior.size();) {
        const auto end = std::min(config_.prior.find(',', i), config_.prior.size());
        prior.push_back(std::stod(config_.prior.substr(i, end - i)));
        i = end + 1;
    }
    Tensor sum = torch::zeros({}, torch::dtype(torch::kFloat).device(device_));
    for (const auto& mean : meanWeights) {
        const auto w = mean / mean.sum();
        const auto entropy = -(w * (w + 1e-12).log()).sum() / std::log(std::max(2.0, K));
        sum = sum - config_.entropyBonus * fade * entropy;
        if (config_.priorWeight > 0)
            sum = sum + config_.priorWeight * (w * ((w + 1e-12) / torch::tensor(prior, w.options())).log()).sum();
        for (std::size_t k = 0; k < names.size(); ++k)
            if (names[k] == "attention") sum = sum + config_.attentionCost * w[std::int64_t(k)];
    }
    return sum / double(std::max<std::size_t>(1, meanWeights.size()));
}

void Trainer::intervals()
{
    const bool last = step_ == config_.steps; // the final weights are always evaluated, sampled and saved
    const auto due = [&](std::int64_t every) { return last || (every > 0 && step_ % every == 0); };
    if (due(config_.mixEvery) || step_ == 1)
        emit(MixingEvent { step_, measureMixing(*model_, corpus_->split("valid"), config_.context) });
    if (due(config_.evalEvery)) evaluate();
    if (due(config_.sampleEvery)) sample({});
    if (due(config_.saveEvery)) save();
}

void Trainer::emit(const Event& event)
{
    try {
        metrics_->append(event); // on disk before it is on screen
        metricsProblem_ = false;
    } catch (
        const IoError& error) { // a full disk costs the record of a step, not the run; said once until it works again
        if (!metricsProblem_) sink_->publish(StatusEvent { step_, RunState::Running, error.what() });
        metricsProblem_ = true;
    }
    sink_->publish(event);
}

void Trainer::evaluate()
{
    EvaluateOptions options;
    options.context = options.stride = config_.context;
    options.maxTokens = config_.evalTokens;
    struct Quiet final : EventSink {
        void publish(const Event&) override { }
    } quiet;
    auto result = evaluateSplit(*model_, corpus_->split("valid"), options, quiet, {});
    result.figures.step = result.recall.step = step_;
    emit(result.figures);
    if (!result.recall.bins.empty()) emit(result.recall);
    lastEval_ = step_;
    lastNll_ = result.figures.nll;
    if (config_.schedule == "plateau") plateau_.observe(lastNll_, config_);
}

void Trainer::sample(const std::string& given)
{
    const auto prompt = !given.empty()  ? given
        : !config_.samplePrompt.empty() ? config_.samplePrompt
                                        : corpus_->samplePrompt();
    std::int64_t repairs = 0;
    std::vector<std::int64_t> ids;
    for (const auto id : corpus_->tokenizer()->encode(repairUtf8(prompt, repairs))) ids.push_back(id);
    if (ids.empty()) ids.push_back(0); // nothing of the prompt is left: symbols of blanks alone
    GenerateOptions options;
    options.sampling.maxTokens = corpus_->sampleTokens();
    options.sampling.seed = std::uint64_t(config_.seed);
    Pass pass;
    const auto result =
        generateText(*model_, *corpus_->tokenizer(), pass, std::move(ids), options, [](const GeneratedToken&) {}, {});
    emit(SampleEvent { step_, prompt, result.text });
}

void Trainer::save()
{
    const auto folder = checkpointName(step_);
    CheckpointEvent event { step_, folder, false, {} };
    const bool best = lastEval_ == step_ && std::isfinite(lastNll_) && lastNll_ < bestNll_;
    try {
        if (best) bestNll_ = lastNll_;
        metrics_->sync();
        publishCheckpoint(run_, folder, [&](const fs::path& to) {
            writeTrainingState(to, *model_, *optimizer_,
                { step_, tokens_, seconds_, bestNll_, plateau_, metrics_->offset(), optimizer_->updates(),
                    batches_->state(), generator_, precisionName(matrix_), at::get_num_threads(), device_.str(),
                    corpus_->fingerprint(), config_.learningRate });
        });
        run_.setPointer("latest", folder);
        if (best) run_.setPointer("best", folder);
        event.best = best;
        lastSave_ = step_;
        pruneCheckpoints(run_, config_.keepCheckpoints);
    } catch (
        const Error& error) { // the previous checkpoint stands; training goes on and tries again at the next interval
        event.problem = error.what();
    }
    emit(event);
}

RunState Trainer::finish(RunState state, const std::string& detail)
{
    // After a divergence the weights are those before the first bad update, but the last saved ones are known to be
    // good.
    if (state != RunState::Diverged && lastSave_ != step_) save();
    emit(StatusEvent { step_, state, detail });
    metrics_->sync();
    const std::lock_guard lock(mutex_);
    ended_ = true;
    waiting_.clear(); // whoever waits for a snapshot sees a broken promise
    return state;
}

} // namespace pha
