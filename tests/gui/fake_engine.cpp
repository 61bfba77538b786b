// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gui/fake_engine.h"

#include "engine/base/atomic_file.h"
#include "engine/config/families.h"
#include "engine/config/parts.h"
#include "engine/run/course.h"
#include "engine/run/metrics.h"
#include "tests/gui/fake_inside.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

namespace pha::test {
namespace {

void pause(std::chrono::microseconds time, const std::stop_token& stop)
{
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait_for(lock, stop, time, [] { return false; });
}

GeneratedToken token(std::int64_t n)
{
    static const std::vector<std::string> words { " Mara", " took", " the", " copper", " key", " to", " the",
        " harbour", ".", " Later", " she", " gave", " it", " to", " Tomas", ",", " who", " hid", " it", " under",
        " the", " old", " boat", "." };
    GeneratedToken t;
    const auto index = std::size_t(n) % words.size();
    t.id = std::int64_t(index) + 3;
    t.text = words[index];
    t.probability = 0.55 + 0.44 * noise(n, 5);
    t.sampledProbability = std::min(1.0, t.probability * 1.1);
    t.entropy = 1.2 + noise(n, 6);
    double rest = 1;
    for (std::size_t i = 0; i < 10; ++i) {
        const double p = i == 0 ? t.probability : rest * 0.4;
        rest -= p;
        t.alternatives.push_back(
            { std::int64_t((index + i) % words.size()) + 3, words[(index + i) % words.size()], p });
    }
    return t;
}

class FakeJob : public TrainingJob {
public:
    FakeJob(TrainingRequest request, FakeOptions options, std::shared_ptr<FakeCounters> counters)
        : request_(std::move(request))
        , options_(std::move(options))
        , counters_(std::move(counters))
    {
        if (!options_.writeFiles) return;
        lock_.emplace(request_.directory);
        writer_.emplace(RunDirectory(request_.directory).metricsFile());
        if (!request_.resume) return;
        if (const auto latest = RunDirectory(request_.directory).pointer("latest"))
            step_ = std::stoll(latest->substr(latest->find('-') + 1));
    }

    RunState run(EventSink& sink, std::stop_token stop) override
    {
        counters_->mostRunning = std::max(counters_->mostRunning.load(), ++counters_->running);
        struct Leave {
            FakeCounters& c;
            ~Leave() { --c.running, ++c.ended; }
        } leave { *counters_ };
        sink_ = &sink;
        const auto state = loop(stop);
        const std::lock_guard lock(mutex_);
        over_ = true;
        return state;
    }
    void post(Command command) override
    {
        const std::lock_guard lock(mutex_);
        commands_.push_back(std::move(command));
        wake_.notify_all();
    }
    std::shared_ptr<LoadedModel> snapshot(std::chrono::milliseconds) override
    {
        const std::lock_guard lock(mutex_);
        return over_ ? nullptr : std::make_shared<FakeModel>(request_.config, step_.load());
    }
    fs::path directory() const override { return request_.directory; }

private:
    void say(const Event& event)
    {
        if (writer_) writer_->append(event);
        sink_->publish(event);
    }
    void save(bool best)
    {
        const auto name = checkpointName(step_);
        if (options_.writeFiles) {
            const RunDirectory run(request_.directory);
            const Json state { { "step", step_.load() },
                { "learning_rate", fakeStep(step_, request_.config).learningRate } };
            publishCheckpoint(
                run, name, [&](const fs::path& folder) { writeFileAtomically(folder / "state.json", state.dump()); });
            run.setPointer("latest", name);
            if (best) run.setPointer("best", name);
        }
        say(CheckpointEvent { step_, name, best, {} });
    }
    /// Obeys what was posted; true while the run is paused.
    bool obey(bool paused)
    {
        std::deque<Command> todo;
        {
            const std::lock_guard lock(mutex_);
            todo.swap(commands_);
        }
        for (const auto& c : todo) {
            using Kind = Command::Kind;
            if (c.kind == Kind::Pause && !paused)
                say(CommandEvent { step_, "pause", {} }), say(StatusEvent { step_, RunState::Paused, {} }),
                    paused = true;
            if (c.kind == Kind::Resume && paused)
                say(CommandEvent { step_, "resume", {} }), say(StatusEvent { step_, RunState::Running, {} }),
                    paused = false;
            if (c.kind == Kind::Evaluate) say(fakeEval(step_, request_.config));
            if (c.kind == Kind::Sample) say(SampleEvent { step_, c.text.empty() ? "Once" : c.text, " upon a time." });
            if (c.kind == Kind::Checkpoint) save(false);
            if (c.kind == Kind::Change) {
                const auto was = request_.config.get(c.text);
                request_.config.setJson(c.text, c.value);
                auto file = RunDirectory(directory()).read();
                file.config = request_.config;
                RunDirectory(directory()).write(file);
                say(toEvent({ step_, c.text, settingText(c.value), settingText(was) }));
            }
        }
        return paused;
    }
    RunState loop(std::stop_token stop)
    {
        const auto& t = request_.config.training;
        say(StatusEvent { step_, RunState::Running, {} });
        say(ReferenceEvent { std::log(1024.0), 4.6, 3.2, 1.71 });
        const auto began = std::chrono::steady_clock::now();
        std::int64_t done = 0;
        bool paused = false;
        const auto stopped = [&] { return options_.ignoreStop ? counters_->release.load() : stop.stop_requested(); };
        while (step_ < t.steps && !stopped() && !(t.stopAfter > 0 && done >= t.stopAfter)) {
            paused = obey(paused);
            std::unique_lock lock(mutex_);
            if (paused) {
                wake_.wait_for(lock, stop, std::chrono::milliseconds(50), [&] { return !commands_.empty(); });
                continue;
            }
            if (options_.stepsPerSecond > 0) {
                const auto due = began + std::chrono::duration<double>(double(done) / options_.stepsPerSecond);
                if (std::chrono::steady_clock::now() < due)
                    wake_.wait_for(lock, stop, std::chrono::milliseconds(5), [&] { return !commands_.empty(); });
                if (std::chrono::steady_clock::now() < due) continue;
            }
            lock.unlock();
            ++step_, ++done, ++counters_->steps;
            if (options_.failAt == step_)
                throw Error("the worker ran out of memory at step " + std::to_string(step_), "use a smaller batch");
            auto event = fakeStep(step_, request_.config);
            if (options_.divergeAt == step_) {
                event.loss = std::nan("");
                event.applied = false;
                say(event);
                say(StatusEvent { step_, RunState::Diverged, "the loss stayed non-finite; use a lower learning rate" });
                return RunState::Diverged;
            }
            say(event);
            every(t.mixEvery, [&] { say(fakeMixing(step_, request_.config)); });
            every(t.evalEvery,
                [&] { say(fakeEval(step_, request_.config)), say(fakeRecall(step_)), say(fakeHeads(step_)); });
            every(t.sampleEvery, [&] { say(SampleEvent { step_, "Mara took", " the copper key to the harbour." }); });
            every(t.saveEvery, [&] { save(true); });
        }
        save(false);
        const auto state = step_ >= t.steps ? RunState::Finished : RunState::Stopped;
        say(StatusEvent { step_, state, {} });
        return state;
    }
    template <class Do> void every(std::int64_t interval, Do&& act)
    {
        if (interval > 0 && step_ % interval == 0) act();
    }

    TrainingRequest request_;
    FakeOptions options_;
    std::shared_ptr<FakeCounters> counters_;
    std::optional<RunLock> lock_;
    std::optional<MetricsWriter> writer_;
    EventSink* sink_ = nullptr;
    std::atomic<std::int64_t> step_ { 0 };
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<Command> commands_;
    bool over_ = false;
};

} // namespace

double noise(std::int64_t step, std::uint64_t salt)
{
    std::uint64_t x = std::uint64_t(step) * 0x9E3779B97F4A7C15ull + salt * 0xD1B54A32D192ED03ull;
    x ^= x >> 31;
    x *= 0xBF58476D1CE4E5B9ull;
    x ^= x >> 29;
    return double(x >> 11) / double(1ull << 52) - 1;
}

StepEvent fakeStep(std::int64_t step, const RunConfig& config)
{
    const auto& t = config.training;
    StepEvent e;
    e.step = step;
    e.tokens = step * t.batchSize * t.context * t.accumulate;
    e.seconds = double(step) * 0.11;
    e.loss = 1.9 + 5.0 * std::exp(-double(step) / (0.15 * double(t.steps) + 1)) + 0.06 * noise(step, 1);
    const double warm = t.warmupSteps > 0 ? std::min(1.0, double(step) / double(t.warmupSteps)) : 1;
    e.learningRate = t.learningRate * warm * (0.55 + 0.45 * std::cos(3.14159265 * double(step) / double(t.steps)));
    e.gradNorm = 0.6 + 1.5 * std::exp(-double(step) / 100) + 0.1 * noise(step, 2);
    e.tokensPerSecond = 18000 + 400 * noise(step, 3);
    e.processBytes = 410'000'000 + step * 20;
    e.deviceBytes = 180'000'000;
    return e;
}

MixingEvent fakeMixing(std::int64_t step, const RunConfig& config)
{
    MixingEvent e;
    e.step = step;
    const double done = double(step) / double(std::max<std::int64_t>(config.training.steps, 1));
    for (std::int64_t layer = 0; layer < config.model.layers; ++layer) {
        const double depth = double(layer + 1) / double(config.model.layers);
        const double shares[] = { 1.0 / 3 + 0.25 * done * (1 - depth), 1.0 / 3 + 0.2 * done * (depth - 0.4), 0 };
        LayerMix mix;
        const char* names[] = { "gss", "attention", "ffn" };
        for (int i = 0; i < 3; ++i) {
            BranchMix b;
            b.branch = names[i];
            b.normalised = i < 2 ? shares[i] : 1 - shares[0] - shares[1];
            b.mean = b.normalised * 1.4;
            b.outputRms = 0.8 + 0.1 * i;
            b.contribution = b.normalised;
            mix.entropy -= b.normalised * std::log(std::max(b.normalised, 1e-9)) / std::log(3.0);
            mix.branches.push_back(b);
        }
        e.layers.push_back(mix);
    }
    return e;
}

EvalEvent fakeEval(std::int64_t step, const RunConfig& config)
{
    EvalEvent e;
    e.step = step;
    e.split = "valid";
    e.tokens = std::max<std::int64_t>(config.training.evalTokens, 1000);
    e.words = e.tokens * 3 / 4;
    e.bytes = e.tokens * 4;
    e.nll = 1.95 + 5.0 * std::exp(-double(step) / (0.15 * double(config.training.steps) + 1));
    e.totalNll = e.nll * double(e.tokens);
    e.perplexity = std::exp(e.nll);
    e.wordPerplexity = std::exp(e.totalNll / double(e.words));
    e.bitsPerByte = e.totalNll / double(e.bytes) / std::log(2.0);
    e.context = config.training.context;
    e.stride = e.context;
    e.floorNll = 1.71;
    e.seconds = 0.4;
    return e;
}

RecallEvent fakeRecall(std::int64_t step, const std::string& split)
{
    RecallEvent e { step, split, {}, 0, 0.125 };
    for (std::int64_t i = 0, from = 0; i < 6; ++i, from = from ? from * 2 : 8) {
        const std::int64_t correct =
            std::int64_t(200 * std::clamp(1.0 - 0.12 * double(i) - std::exp(-double(step) / 300), 0.1, 1.0));
        e.bins.push_back({ from, from ? from * 2 : 8, 200, correct, 0.125 });
        e.accuracy += double(correct) / 1200;
    }
    return e;
}

HeadsEvent fakeHeads(std::int64_t step)
{
    const double formed = 1 / (1 + std::exp((300 - double(step)) / 40));
    return { step, 6.5, 6.4 - 2 * formed,
        { { 0.2 + 0.5 * formed, 1, "attention", 2, formed > 0.5 }, { 0.2, 0, "attention", 1, 0 },
            { 0.35, 2, "attention", 0, 1 }, { 0.1, 3, "attention", 3, 0 },
            { 0.02 + 0.7 * formed, 3, "attention", 1, formed > 0.5 } } };
}

Ablation fakeAblation(LoadedModel& model, EvaluateOptions options,
    const std::function<void(const AblationCell&)>& onCell, EventSink& progress, const std::stop_token& stop)
{
    options.mix.clear();
    Ablation result;
    result.plain = model.evaluate(options, progress, stop);
    const auto& m = model.config().model;
    for (std::int64_t layer = -1; layer < m.layers; ++layer)
        for (const auto& branch : layer < 0 ? modelParts(m) : layerParts(m, layer)) {
            options.mix = { { layer, branch, 0 } };
            const auto nll = model.evaluate(options, progress, stop).figures.nll;
            result.cells.push_back({ layer, branch, nll, nll - result.plain.figures.nll });
            onCell(result.cells.back());
        }
    return result;
}

BranchCosts fakeCosts(LoadedModel& model, CostOptions options, EventSink& progress, const std::stop_token& stop)
{
    BranchCosts costs;
    costs.batch = 8, costs.context = model.config().training.context;
    costs.device = "cpu", costs.precision = "fp32";
    costs.plain = model.evaluate(options.text, progress, stop);
    const auto& m = model.config().model;
    costs.passSeconds = 0.004;
    for (std::int64_t layer = 0; layer < m.layers; ++layer)
        for (const auto& part : layerParts(m, layer)) {
            const auto counted = findPart(part)->costs(m, { double(costs.context), 1 });
            BranchCost cell;
            cell.place = { layer, part };
            cell.seconds = 4e-9 * counted.flops * (1 + 0.2 * noise(layer, 31));
            cell.flopsPerToken = counted.flops;
            cell.parameters = counted.parameters;
            cell.weightBytes = 4 * double(counted.parameters);
            cell.cacheBytes = 4 * (counted.cacheElements * double(costs.context) + counted.stateReals);
            options.text.mix = { { layer, part, 0 } };
            cell.nll = model.evaluate(options.text, progress, stop).figures.nll;
            cell.change = cell.nll - costs.plain.figures.nll;
            costs.passSeconds += cell.seconds;
            costs.cells.push_back(cell);
        }
    return costs;
}

PruneTrial fakeTrial(LoadedModel& model, CostOptions options, const BranchCosts& costs,
    const std::vector<PartPlace>& parts, EventSink& progress, const std::stop_token& stop)
{
    for (const auto& place : parts) options.text.mix.push_back({ place.layer, place.part, 0 });
    PruneTrial trial;
    trial.nll = model.evaluate(options.text, progress, stop).figures.nll;
    trial.change = trial.nll - costs.plain.figures.nll;
    trial.predictedSeconds = trial.passSeconds = costs.passSeconds;
    for (const auto& cell : costs.cells)
        if (std::count(parts.begin(), parts.end(), cell.place) > 0) trial.predictedSeconds -= cell.seconds;
    trial.prunedSeconds = 1.1 * trial.predictedSeconds;
    trial.parameters = 1'000'000;
    if (parts.size() == costs.cells.size()) trial.obstacle = "at least one part has to stay";
    return trial;
}

BenchRow fakeBenchRow(const BenchRequest& request, const std::string& preset, std::int64_t context)
{
    BenchRow row;
    row.preset = preset;
    row.mode = request.mode;
    row.device = "cpu";
    row.precision = "fp32";
    row.context = context;
    row.batch =
        request.mode == "decode" ? request.decodeBatch : std::max<std::int64_t>(1, request.batchTokens / context);
    row.parameters = modelCosts(findPreset(preset).config.model, context).parameters;
    row.tokensPerSecond = 1e10 / double(row.parameters) / (1 + double(context) / 2048);
    row.spread = 0.03;
    row.peakBytes = row.parameters * 16 + context * 40'000;
    row.flopsPerSecond = 4e10;
    row.gemmShare = 0.3;
    row.stepBytes = 2e6;
    row.readRate = 1e10;
    row.readShare = 0.4;
    return row;
}

FakeModel::FakeModel(RunConfig config, std::int64_t step, double tokensPerSecond)
    : config_(std::move(config))
    , step_(step)
    , tokensPerSecond_(tokensPerSecond)
{
}

ModelReport FakeModel::inspect(EventSink&, std::stop_token)
{
    const auto costs = modelCosts(config_.model, config_.training.context);
    ModelReport r;
    r.config = config_;
    r.step = step_;
    r.parameters = costs.parameters;
    r.trainable = costs.trainable;
    r.parts = costs.parts;
    r.mixing = fakeMixing(step_, config_).layers;
    r.forwardFlopsPerToken = costs.forwardFlopsPerToken;
    r.cacheBytesPerToken = std::int64_t(costs.cacheElementsPerToken * 4);
    r.fixedStateBytes = std::int64_t(costs.fixedStateReals * 4);
    r.device = "cpu";
    r.precision = "fp32";
    return r;
}

Ablation FakeModel::ablate(const EvaluateOptions& asked, const std::function<void(const AblationCell&)>& onCell,
    EventSink& progress, std::stop_token stop)
{
    return fakeAblation(*this, asked, onCell, progress, stop);
}

BranchCosts FakeModel::branchCosts(
    const CostOptions& asked, const std::function<void(const BranchCost&)>&, EventSink& progress, std::stop_token stop)
{
    return fakeCosts(*this, asked, progress, stop);
}

PruneTrial FakeModel::tryPruned(const CostOptions& asked, const BranchCosts& costs, const std::vector<PartPlace>& parts,
    EventSink& progress, std::stop_token stop)
{
    return fakeTrial(*this, asked, costs, parts, progress, stop);
}

Evaluation FakeModel::evaluate(const EvaluateOptions& options, EventSink& progress, std::stop_token stop)
{
    for (int i = 0; i <= 20; ++i) {
        if (stop.stop_requested()) throw Error("the evaluation was stopped", "start it again");
        progress.publish(ProgressEvent { "evaluating", double(i), 20, "windows" });
        pause(std::chrono::milliseconds(2), stop);
    }
    Evaluation e;
    e.figures = fakeEval(step_, config_);
    e.figures.split = options.split;
    if (options.context > 0) e.figures.context = options.context;
    if (options.stride > 0) e.figures.stride = options.stride;
    for (const auto& m : options.mix) e.figures.nll += 0.2 * std::abs(1 - m.weight);
    e.figures.perplexity = std::exp(e.figures.nll);
    if (options.recall) e.recall = fakeRecall(step_, options.split);
    e.data = options.data.empty() ? config_.data.data : options.data;
    e.tokenizer = "fake, 1,024 pieces";
    return e;
}

Generation FakeModel::generate(
    const GenerateOptions& options, const std::function<void(const GeneratedToken&)>& onToken, std::stop_token stop)
{
    Generation g;
    const auto prompt = tokenize(options.prompt);
    for (const auto& t : prompt) g.promptIds.push_back(t.id);
    if (options.promptProbabilities)
        for (const auto& t : prompt) onToken(t);
    for (std::int64_t n = 0; n < options.sampling.maxTokens && !stop.stop_requested(); ++n) {
        auto t = token(n + std::int64_t(options.sampling.seed));
        g.text += t.text;
        onToken(t);
        g.tokens.push_back(std::move(t));
        if (tokensPerSecond_ > 0) pause(std::chrono::microseconds(std::int64_t(1e6 / tokensPerSecond_)), stop);
    }
    g.firstTokenSeconds = 0.02;
    g.seconds = double(g.tokens.size()) / std::max(tokensPerSecond_, 1.0);
    g.tokensPerSecond = tokensPerSecond_;
    g.stateBytes = 65536;
    return g;
}

std::vector<GeneratedToken> FakeModel::tokenize(const std::string& text)
{
    std::vector<GeneratedToken> out;
    for (std::size_t i = 0; i < text.size();) {
        auto end = text.find(' ', i + 1);
        if (end == std::string::npos) end = text.size();
        GeneratedToken t = token(std::int64_t(out.size()));
        t.text = text.substr(i, end - i);
        t.prompt = true;
        out.push_back(t);
        i = end;
    }
    return out;
}

InsideView FakeModel::lookInside(const LookOptions& options, std::stop_token)
{
    return fakeInside(config_, step_, tokenize(options.text));
}
HeadTest FakeModel::testHeads(std::stop_token) { return fakeHeadTest(config_, step_); }

std::unique_ptr<TrainingJob> makeFakeJob(
    TrainingRequest request, FakeOptions options, std::shared_ptr<FakeCounters> counters)
{
    return std::make_unique<FakeJob>(std::move(request), std::move(options), std::move(counters));
}

FakeEngine::FakeEngine(FakeOptions chosen)
    : options(std::move(chosen))
{
}

EngineInfo FakeEngine::info()
{
    EngineInfo i;
    i.version = "test";
    i.libtorch = "none";
    i.cpuCapability = "AVX2";
    i.threads = 2;
    i.devices = { { "cpu", "Fake processor", 8'000'000'000 } };
    return i;
}

std::unique_ptr<TrainingJob> FakeEngine::openTraining(
    const TrainingRequest& request, EventSink& progress, std::stop_token stop)
{
    for (int i = 0; i < options.prepareEvents; ++i) {
        if (stop.stop_requested()) throw Error("stopped while preparing the data", "start the run again");
        progress.publish(
            ProgressEvent { "training the tokenizer", double(i), double(options.prepareEvents), "pieces" });
        if (options.prepareTime.count() > 0) std::this_thread::sleep_for(options.prepareTime);
    }
    if (!options.openError.empty()) throw Error(options.openError, "check the data");
    request.config.validate();
    if (options.writeFiles && !request.resume) {
        RunFile file { request.name, "2026-01-01T12:00:00Z", request.config, Json::object() };
        if (!request.replayOf.empty()) file.environment["replay"] = readReplay(request.replayOf).toJson();
        RunDirectory(request.directory).create(file);
    }
    ++counters->opened;
    return std::make_unique<FakeJob>(request, options, counters);
}

std::shared_ptr<LoadedModel> FakeEngine::load(const fs::path& path, const std::string&, const std::string&)
{
    const auto run = RunDirectory(fs::exists(path / "run.json") ? path : path.parent_path().parent_path());
    return std::make_shared<FakeModel>(run.exists() ? run.read().config : RunConfig {}, 1000);
}

std::vector<CheckRow> FakeEngine::selftest(const std::string&, const std::function<void(const CheckRow&)>& onRow)
{
    const CheckRow row { "parallel = recurrent, fake", 1e-7, 1e-5, true, {} };
    onRow(row);
    return { row };
}

std::vector<BenchRow> FakeEngine::bench(
    const BenchRequest& request, const std::function<void(const BenchRow&)>& onRow, std::stop_token stop)
{
    std::vector<BenchRow> rows;
    for (const auto context : request.contexts)
        for (const auto& preset : request.presets) {
            std::mutex mutex;
            std::unique_lock lock(mutex);
            if (int(rows.size()) >= options.benchRows)
                std::condition_variable_any().wait(lock, stop, [] { return false; });
            if (stop.stop_requested()) return rows;
            if (!rows.empty() && !options.benchError.empty()) throw Error(options.benchError, "try again");
            rows.push_back(fakeBenchRow(request, preset, context));
            onRow(rows.back());
        }
    return rows;
}

} // namespace pha::test
