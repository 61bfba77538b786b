// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/trainer.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/eval/evaluator.h"
#include "engine/eval/head_figures.h"
#include "engine/eval/loaded_model.h"
#include "engine/run/metrics_line.h"
#include "engine/torch/device.h"
#include "engine/torch/plain_errors.h"
#include "engine/train/checkpoint.h"
#include "engine/train/conversion.h"

#include <fmt/format.h>

#include <cmath>

namespace pha {

using Activity = TimeAccount::Activity;

namespace {
/// So many updates in a row whose loss or gradient is not finite end a run.
constexpr std::int64_t patienceForNonFinite = 10;

/// Enough for a colour; more would make the lines of samples twice as long.
double fourDigits(double value) { return parseNumber(fmt::format("{:.4g}", value)).value_or(value); }

/// A line a step: no more digits than a meter has.
std::optional<double> rounded(std::optional<double> value)
{
    return value ? std::optional(std::round(*value * 1e3) / 1e3) : value;
}

// What a stop may leave out of what is due at a step; a resume begins with it.
constexpr auto dueEvaluation = "evaluation", dueSample = "sample";

/// What `work` gives, or nothing if a stop ended it.
template <class Work> auto unlessStopped(const std::stop_token& stop, Work&& work) -> std::optional<decltype(work())>
{
    try {
        return work();
    } catch (const Error&) {
        if (!stop.stop_requested()) throw;
        return std::nullopt;
    }
}
} // namespace

RunState Trainer::run(EventSink& sink, std::stop_token stop)
{
    {
        const std::lock_guard lock(mutex_);
        sink_ = &sink; // from here on snapshots are served
    }
    shareThreads(device_, config_.threads, config_.devices);
    useBlasThreads(matrix_);
    clock_.emplace();
    time_.emplace(*clock_);
    startedAt_ = step_, secondsBefore_ = seconds_;
    sink.publish(*references_); // in the file since the run was created
    emit(StatusEvent { step_, RunState::Running, {} });
    team_->heed(sink, stop, [this] {
        const auto all = run_.list();
        return all.empty() ? std::string() : all.back();
    });
    const std::stop_callback wakeUp(stop, [this] { wake_.notify_all(); });
    try {
        return withPlainErrors([&] { return train(stop); });
    } catch (const std::exception& error) {
        // The disk may be what failed: the status is a courtesy, the error is what counts.
        try {
            emit(StatusEvent { step_, RunState::Failed, error.what() });
            team_->end("failed", error.what());
        } catch (const std::exception&) { // nothing is left to report to
        }
        const std::lock_guard lock(mutex_);
        ended_ = true;
        waiting_.clear();
        throw;
    }
}

/// Evaluate, sample and save "once in a while", then one training section.
RunState Trainer::train(const std::stop_token& stop)
{
    // A resume cannot draw given weights again, and takes its settings from the checkpoint.
    if (lastSave_ < 0 && (changedByResume_ || beginsWithGivenWeights())) save();
    if (step_ == 0 && config_.sampleEvery > 0 && !stop.stop_requested()) sample({}, stop); // what learning begins from
    if (!due_.empty()) intervals(stop);
    if (step_ == config_.steps) changeAsPlanned(); // a replay that was killed there may have to go on
    while (step_ < config_.steps) {
        serve(stop);
        if (stop.stop_requested()) return finish(RunState::Stopped, "stopped by the user");
        if (config_.stopAfter > 0 && step_ - startedAt_ >= config_.stopAfter)
            return finish(RunState::Stopped, "stop_after reached");
        if (const auto& where = team_->stopping(); !where.empty())
            return finish(RunState::Stopped, "stopped on " + where);
        if (!update())
            return finish(RunState::Diverged,
                exploded_ ? "the loss of 50 updates in a row was above three times that of those before them"
                          : std::to_string(patienceForNonFinite) + " updates in a row were not finite");
        intervals(stop);
        if (step_ == config_.steps) changeAsPlanned(); // the run that is repeated was trained longer from here on
    }
    return finish(RunState::Finished, {});
}

/// One optimiser update from `accumulate` micro-batches. False: the run has diverged.
bool Trainer::update()
{
    const auto updating = spends(Activity::Updates);
    const double started = clock_->seconds();
    const double processorStarted = processorSeconds();
    const bool distilling = step_ < config_.distillSteps;
    if (config_.distillSteps > 0 && step_ == config_.distillSteps) // from here on all weights learn
        team_->resetOptimizers();
    // The course begins when all weights learn; until then Muon's matrices stay, on a card too.
    const bool lowered = config_.schedule == "plateau"; // it may have been another one, and be one again
    const double share = distilling ? 0 : scheduleShare(config_, step_) * (lowered ? plateau_.factor : 1);
    const double rate = distilling ? config_.distillLearningRate : config_.learningRate * share;

    std::int64_t read = 0, scored = 0;
    auto micro = readBatches();
    std::vector<Tensor> inputs;
    for (auto& batch : micro) {
        read += std::int64_t(batch.ids.size());
        for (const auto target : batch.targets) scored += target >= 0;
        for (auto* tokens : { &batch.ids, &batch.targets })
            inputs.push_back(torch::from_blob(tokens->data(), { batch.rows, batch.context }, torch::kLong));
    }
    if (work_.regularised() && !distilling)
        inputs.insert(inputs.begin(), torch::tensor(work_.fade(step_), torch::kFloat));
    const bool failing = step_ >= failFrom_ && step_ < failTo_;
    inputs.push_back(optimizer().numbers({ double(scored), failing ? 0.0 : 1.0, rate, share }));

    const UpdateWork::Shape shape { micro.size(), distilling };
    team_->resetPeakBytes(); // evaluations, and what else was done in this process, take memory of their own
    const auto result = team_->update(inputs,
        [&](Learner& learner, const std::vector<Tensor>& in) { return work_(learner, in, matrix_, shape); },
        !distilling, { step_, tokens_ + read, micro.size(), distilling, rate });
    const bool finite = result.finite();
    nonFinite_ = finite ? 0 : nonFinite_ + 1;

    const double took = clock_->seconds() - started;
    ++step_;
    tokens_ += read;
    seconds_ += took;
    const auto monitoring = spends(Activity::Monitoring);
    const auto hardware = readMeters();
    const auto distilled = distilling ? team_->distilled() : Distillation();
    emit(StepEvent { step_, tokens_, seconds_, result.loss, rate, result.norm, double(read) / took, processBytes(),
        team_->peakBytes(), finite, distilled.crossEntropy, distilled.entropy,
        rounded((processorSeconds() - processorStarted) / took), hardware.use, rounded(hardware.watts),
        hardware.celsius });
    watchUpdate(result, micro, distilling);
    return nonFinite_ < patienceForNonFinite && !exploded_;
}

/// Of all devices: how busy they are on average, what they draw together, the hottest.
HardwareReading Trainer::readMeters()
{
    HardwareReading all;
    for (const auto& meter : meters_) {
        const auto& one = meter->read();
        if (one.use) all.use = all.use.value_or(0) + *one.use / double(meters_.size());
        if (one.watts) all.watts = all.watts.value_or(0) + *one.watts;
        if (one.celsius) all.celsius = std::max(all.celsius.value_or(*one.celsius), *one.celsius);
    }
    return all;
}

std::vector<Batch> Trainer::readBatches()
{
    const auto waiting = spends(Activity::Data);
    const auto count = config_.microBatches(step_);
    for (const auto& skip : config_.skips()) {
        if (skip.before != step_ + 1) continue;
        for (std::int64_t i = 0; i < skip.updates * count; ++i) batches_->next();
        emit(CommandEvent {
            step_, "skip_data", fmt::format("of {} update{}", skip.updates, skip.updates == 1 ? "" : "s") });
    }
    std::vector<Batch> batches;
    for (std::int64_t i = 0; i < count; ++i) batches.push_back(batches_->next());
    return batches;
}

void Trainer::intervals(const std::stop_token& stop)
{
    const bool last = step_ == config_.steps; // the final weights are always evaluated, sampled and saved
    const auto stopHere = last ? std::stop_token() : stop; // no resume would do it: only averages are left out there
    const auto due = [&](std::int64_t every) { return last || (every > 0 && step_ % every == 0); };
    Pass pass;
    pass.matrix = matrix_;
    const bool resumed = !due_.empty();
    if (!resumed && (due(config_.mixEvery) || step_ == 1)) {
        const auto monitoring = spends(Activity::Monitoring);
        noteUsualGradients();
        emit(MixingEvent { step_, measureMixing(model(), pass, corpus_->split("valid"), config_.context) });
        tellTime();
    }
    if (!resumed) keepForAverages([&] { averages_->afterUpdate(model(), step_); });
    if (due_ != dueSample && due(config_.evalEvery)) {
        due_ = dueEvaluation;
        if (!evaluate(stopHere)) return;
        // An evaluation that a user asks for changes neither the rate nor an average.
        if (config_.schedule == "plateau" && step_ > config_.distillSteps) plateau_.observe(lastNll_, config_);
        keepForAverages([&] { averages_->afterEvaluation(model(), step_, lastNll_); });
    }
    if (last) keepForAverages([&] { finishAverages(stop); });
    if (due(config_.sampleEvery)) {
        due_ = dueSample;
        if (!sample({}, stopHere)) return;
    }
    due_.clear();
    if (due(config_.saveEvery)) save();
}

void Trainer::emit(const Event& event)
{
    const auto monitoring = spends(Activity::Monitoring);
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

/// The rate of products is asked for once a run has lasted so long that a few tenths of a second do not count.
void Trainer::tellTime()
{
    constexpr double seconds = 10;
    const auto monitoring = spends(Activity::Monitoring);
    if (!gemm_ && seconds_ - secondsBefore_ > seconds) {
        const std::int64_t n = device_.is_cuda() ? 4096 : 1024; // a card may have little memory left
        try {
            gemm_ = double(team_->members()) * measureGemm(device_, matrix_, n, n, n);
        } catch (const std::exception&) {
            gemm_ = 0; // no room for it: not asked again
        }
    }
    const auto spent = [&](Activity activity) { return rounded(time_->spent(activity)).value(); };
    emit(TimeEvent { step_, spent(Activity::Updates), spent(Activity::Data), spent(Activity::Evaluation),
        spent(Activity::Samples), spent(Activity::Checkpoints), spent(Activity::Monitoring),
        gemm_.value_or(0) > 0 ? gemm_ : std::nullopt });
}

std::optional<Evaluation> Trainer::score(LanguageModel& model, const std::stop_token& stop) const
{
    EvaluateOptions options;
    options.context = config_.context;
    options.maxTokens = config_.evalTokens;
    Pass pass;
    pass.matrix = matrix_;
    SilentSink quiet;
    auto result =
        unlessStopped(stop, [&] { return evaluateSplit(model, pass, corpus_->split("valid"), options, quiet, stop); });
    if (result) result->figures.step = result->recall.step = step_;
    return result;
}

bool Trainer::evaluate(const std::stop_token& stop)
{
    const auto evaluating = spends(Activity::Evaluation);
    const auto result = score(model(), stop);
    if (!result) return false;
    Pass pass;
    pass.matrix = matrix_;
    auto heads = unlessStopped(
        stop, [&] { return testHeads(model(), *corpus_->tokenizer(), config_.context, pass, true, stop); });
    if (!heads) return false;
    emit(result->figures);
    if (!result->recall.bins.empty()) emit(result->recall);
    heads->step = step_;
    if (heads->note.empty()) emit(headsEvent(*heads));
    lastEval_ = step_;
    lastNll_ = result->figures.nll;
    return true;
}

bool Trainer::sample(const std::string& given, const std::stop_token& stop)
{
    const auto sampling = spends(Activity::Samples);
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
    pass.matrix = matrix_;
    const auto result = generateText(
        model(), *corpus_->tokenizer(), pass, std::move(ids), options, [](const GeneratedToken&) {}, stop);
    if (stop.stop_requested()) return false;
    SampleEvent event { step_, prompt, result.text, {}, config_.seed };
    for (const auto& t : result.tokens)
        event.tokens.push_back({ t.text, fourDigits(t.probability), fourDigits(t.entropy) });
    emit(event);
    return true;
}

std::string Trainer::save()
{
    const auto saving = spends(Activity::Checkpoints);
    const auto folder = checkpointName(step_);
    CheckpointEvent event { step_, folder, false, {} };
    const bool best = lastEval_ == step_ && std::isfinite(lastNll_) && lastNll_ < bestNll_;
    team_->requireSameWeights();
    bool madeRoom = false;
    try {
        metrics_->sync();
        madeRoom = publishMakingRoom(run_, folder, [&](const fs::path& to) {
            writeTrainingState(to, model(), optimizer(),
                { step_, tokens_, seconds_, best ? lastNll_ : bestNll_, plateau_, metrics_->offset(),
                    optimizer().updates(), batches_->state(), team_->random(), precisionName(matrix_),
                    at::get_num_threads(), device_.str(), corpus_->fingerprint(), file_.config.toJson()["training"],
                    averages_->state(), watch_.state(), alertState(), due_,
                    best || run_.pointer("best") == folder }); // the same weights once more stay the best
            averages_->write(to);
        });
        run_.setPointer("latest", folder);
        if (best) {
            run_.setPointer("best", folder);
            bestNll_ = lastNll_; // not of a save that failed: a later one would have to be better than nothing kept
        }
        event.best = best;
        lastSave_ = step_;
        averages_->saved();
    } catch (
        const Error& error) { // the previous checkpoint stands; training goes on and tries again at the next interval
        event.problem = error.what();
    }
    emit(event);
    if (!event.problem.empty()) return event.problem;
    if (madeRoom)
        emit(StatusEvent {
            step_, RunState::Running, "the disk is full: older checkpoints were removed to make room for " + folder });
    try {
        pruneCheckpoints(run_, config_.keepCheckpoints);
    } catch (const Error& error) { // the new one stands all the same
        emit(StatusEvent {
            step_, RunState::Running, std::string("an old checkpoint could not be removed: ") + error.what() });
    }
    return {};
}

RunState Trainer::finish(RunState state, std::string detail)
{
    // After a divergence the weights are those before the first bad update, but the last saved ones are known to be
    // good.
    const auto problem = state != RunState::Diverged && lastSave_ != step_ ? save() : std::string();
    if (state == RunState::Finished && !problem.empty()) // a resume can still make what is missing
        state = RunState::Failed, detail = "the weights of the last update are not saved: " + problem;
    tellTime();
    emit(StatusEvent { step_, state, detail });
    metrics_->sync();
    team_->end(nameOf(state), detail);
    const std::lock_guard lock(mutex_);
    ended_ = true;
    waiting_.clear(); // whoever waits for a snapshot sees a broken promise
    return state;
}

} // namespace pha
