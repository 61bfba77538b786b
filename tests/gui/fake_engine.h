// SPDX-License-Identifier: GPL-3.0-or-later
// An Engine without LibTorch for tests of the window: plausible curves, every kind of event, up to thousands a second.
#pragma once

#include "engine/base/error.h"
#include "engine/engine.h"
#include "engine/run/run_directory.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>

namespace pha::test {

struct FakeOptions {
    double stepsPerSecond = 5000; ///< 0: as fast as the machine can
    bool writeFiles = true; ///< also write run.json, metrics.jsonl and checkpoints, as the real engine does
    int prepareEvents = 3; ///< ProgressEvents while opening
    std::chrono::milliseconds prepareTime { 0 }; ///< between two of them
    std::string openError; ///< openTraining() throws this
    std::int64_t failAt = 0, divergeAt = 0; ///< step at which the run throws, or diverges
    int benchRows = 1 << 20; ///< so many are measured; the next one waits for a stop
    std::string benchError; ///< bench() throws this after its first row
    bool ignoreStop = false; ///< a worker that hangs: never looks at its stop token (until `release`)

    /// Runs are prepared for minutes, or until they are stopped.
    static FakeOptions slowToPrepare()
    {
        FakeOptions slow;
        slow.prepareEvents = 100000;
        slow.prepareTime = std::chrono::milliseconds(2);
        return slow;
    }
};

/// What a fake knows about itself; shared with its jobs, readable while they run.
struct FakeCounters {
    std::atomic<int> opened { 0 }, running { 0 }, mostRunning { 0 }, ended { 0 };
    std::atomic<std::int64_t> steps { 0 };
    std::atomic<bool> release { false };
};

/// The same number for the same step, roughly uniform in [-1, 1].
double noise(std::int64_t step, std::uint64_t salt);

StepEvent fakeStep(std::int64_t step, const RunConfig& config);
MixingEvent fakeMixing(std::int64_t step, const RunConfig& config);
EvalEvent fakeEval(std::int64_t step, const RunConfig& config);
RecallEvent fakeRecall(std::int64_t step, const std::string& split = "valid");
/// An induction head forms at some 300 updates.
HeadsEvent fakeHeads(std::int64_t step);

/// Every branch muted, in all layers and in each, as the network itself would answer.
Ablation fakeAblation(LoadedModel& model, EvaluateOptions options,
    const std::function<void(const AblationCell&)>& onCell, EventSink& progress, const std::stop_token& stop);
/// Costs by what is counted, as if time followed FLOPs, and the loss of each part muted as the network would answer.
BranchCosts fakeCosts(LoadedModel& model, CostOptions options, EventSink& progress, const std::stop_token& stop);
PruneTrial fakeTrial(LoadedModel& model, CostOptions options, const BranchCosts& costs,
    const std::vector<PartPlace>& parts, EventSink& progress, const std::stop_token& stop);

BenchRow fakeBenchRow(const BenchRequest& request, const std::string& preset, std::int64_t context);

/// A network that speaks a fixed story, word by word.
class FakeModel : public LoadedModel {
public:
    FakeModel(RunConfig config, std::int64_t step, double tokensPerSecond = 2000);
    std::int64_t step() const override { return step_; }
    const RunConfig& config() const override { return config_; }
    ModelReport inspect(EventSink& progress, std::stop_token stop) override;
    Ablation ablate(const EvaluateOptions& asked, const std::function<void(const AblationCell&)>& onCell,
        EventSink& progress, std::stop_token stop) override;
    BranchCosts branchCosts(const CostOptions& asked, const std::function<void(const BranchCost&)>&,
        EventSink& progress, std::stop_token stop) override;
    PruneTrial tryPruned(const CostOptions& asked, const BranchCosts& costs, const std::vector<PartPlace>& parts,
        EventSink& progress, std::stop_token stop) override;
    Evaluation evaluate(const EvaluateOptions& options, EventSink& progress, std::stop_token stop) override;
    Generation generate(const GenerateOptions& options, const std::function<void(const GeneratedToken&)>& onToken,
        std::stop_token stop) override;
    std::vector<GeneratedToken> tokenize(const std::string& text) override;
    InsideView lookInside(const LookOptions& options, std::stop_token) override;
    HeadTest testHeads(std::stop_token) override;
    void writeLogits(const std::vector<std::int64_t>&, bool, const fs::path&) override { }

private:
    RunConfig config_;
    std::int64_t step_;
    double tokensPerSecond_;
};

/// A run of such a network; with `counters`, others can watch it.
std::unique_ptr<TrainingJob> makeFakeJob(
    TrainingRequest request, FakeOptions options, std::shared_ptr<FakeCounters> counters);

class FakeEngine : public Engine {
public:
    explicit FakeEngine(FakeOptions chosen = {});
    FakeOptions options; ///< change it between runs only
    const std::shared_ptr<FakeCounters> counters = std::make_shared<FakeCounters>();

    EngineInfo info() override;
    void average(const std::vector<fs::path>&, const fs::path&) override { }
    std::unique_ptr<TrainingJob> openTraining(
        const TrainingRequest& request, EventSink& progress, std::stop_token stop) override;
    RunState join(const JoinRequest&, EventSink&, std::stop_token) override { return RunState::Finished; }
    std::shared_ptr<LoadedModel> load(const fs::path& path, const std::string&, const std::string&) override;
    std::vector<CheckRow> selftest(const std::string&, const std::function<void(const CheckRow&)>& onRow) override;
    std::vector<BenchRow> bench(
        const BenchRequest& request, const std::function<void(const BenchRow&)>& onRow, std::stop_token stop) override;
};

} // namespace pha::test
