// SPDX-License-Identifier: GPL-3.0-or-later
// A network whose every move a test decides: it waits at gates, fails on demand and remembers what it was asked.
#pragma once

#include "tests/gui/fake_engine.h"
#include "tests/gui/patience.h"

#include <condition_variable>
#include <mutex>

namespace pha::test {

/// Shared between a test and the models that its engine loads.
struct Script {
    // What the models do. `allowed` tokens, and `answers` evaluations, looks and tests, pass the gates before they
    // wait.
    int allowed = 1 << 30, answers = 1 << 30;
    bool deaf = false; ///< goes on for a while after a stop, as an engine in a long operation does
    std::string loadError, generateError, evaluateError, lookError, lookNote;
    std::int64_t step = 1000;
    // What they were asked.
    std::vector<GenerateOptions> generations;
    std::vector<EvaluateOptions> evaluations;
    std::vector<LookOptions> looks;
    std::vector<fs::path> loads;
    int snapshots = 0, inspections = 0, headTests = 0, models = 0; ///< the last: alive now
    int written = 0; ///< tokens

    mutable std::mutex mutex;
    std::condition_variable_any changed;

    template <class Read> auto read(Read&& get) const
    {
        const std::lock_guard lock(mutex);
        return get(*this);
    }
    template <class Change> void change(Change&& act)
    {
        const std::lock_guard lock(mutex);
        act(*this);
        changed.notify_all();
    }
};

class ScriptedModel : public LoadedModel {
public:
    ScriptedModel(std::shared_ptr<Script> script, RunConfig config, std::int64_t step);
    ~ScriptedModel() override;
    std::int64_t step() const override { return step_; }
    const RunConfig& config() const override { return config_; }
    ModelReport inspect(EventSink& progress, std::stop_token stop) override;
    Evaluation evaluate(const EvaluateOptions& options, EventSink& progress, std::stop_token stop) override;
    Ablation ablate(const EvaluateOptions& asked, const std::function<void(const AblationCell&)>& onCell,
        EventSink& progress, std::stop_token stop) override;
    BranchCosts branchCosts(const CostOptions& asked, const std::function<void(const BranchCost&)>&,
        EventSink& progress, std::stop_token stop) override;
    PruneTrial tryPruned(const CostOptions& asked, const BranchCosts& costs, const std::vector<PartPlace>& parts,
        EventSink& progress, std::stop_token stop) override;
    /// Loss of muting, nats per token; some branches are better without.
    static double worth(const MixOverride& m);
    Generation generate(const GenerateOptions& options, const std::function<void(const GeneratedToken&)>& onToken,
        std::stop_token stop) override;
    std::vector<GeneratedToken> tokenize(const std::string&) override { return {}; }
    /// One token a word, and one for a line end after them.
    InsideView lookInside(const LookOptions& options, std::stop_token stop) override;
    HeadTest testHeads(std::stop_token stop) override;
    void writeLogits(const std::vector<std::int64_t>&, bool, const fs::path&) override { }

    static GeneratedToken token(std::int64_t id);

private:
    std::shared_ptr<Script> script_;
    RunConfig config_;
    std::int64_t step_;
};

class ScriptedJob : public TrainingJob {
public:
    ScriptedJob(std::shared_ptr<Script> script, RunConfig config, fs::path directory);
    std::atomic<bool> over { false }; ///< hands over nothing
    RunState run(EventSink&, std::stop_token) override { return RunState::Finished; }
    void post(Command) override { }
    std::shared_ptr<LoadedModel> snapshot(std::chrono::milliseconds) override;
    fs::path directory() const override { return directory_; }

private:
    std::shared_ptr<Script> script_;
    RunConfig config_;
    fs::path directory_;
};

class ScriptedEngine : public FakeEngine {
public:
    const std::shared_ptr<Script> script = std::make_shared<Script>();
    std::shared_ptr<LoadedModel> load(const fs::path& path, const std::string&, const std::string&) override;
    RunConfig config;
};

/// A run of `steps` updates on disk, with checkpoints and metrics, as training leaves it.
void writeFakeRun(const fs::path& directory, RunConfig config, const std::string& name);

} // namespace pha::test
