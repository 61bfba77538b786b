// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/active_clock.h"
#include "engine/base/hardware_meter.h"
#include "engine/data/corpus.h"
#include "engine/engine.h"
#include "engine/model/language_model.h"
#include "engine/run/course.h"
#include "engine/run/fork_point.h"
#include "engine/run/metrics.h"
#include "engine/run/run_directory.h"
#include "engine/train/alert_limit.h"
#include "engine/train/averages.h"
#include "engine/train/loss_watch.h"
#include "engine/train/time_account.h"
#include "engine/train/update_work.h"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>

namespace pha {

struct TrainingState;

/// One run from its first to its last step; see TrainingJob for the contract. The recipe is `train()` and
/// `update()`.
class Trainer final : public TrainingJob {
public:
    /// Checks everything, prepares data, then creates or opens the run directory: bad input leaves nothing behind.
    Trainer(const TrainingRequest& request, EventSink& progress, const std::stop_token& stop);

    RunState run(EventSink& sink, std::stop_token stop) override;
    void post(Command command) override;
    std::shared_ptr<LoadedModel> snapshot(std::chrono::milliseconds patience) override;
    fs::path directory() const override { return run_.root(); }

    LanguageModel& model() const { return *team_->first().model; }
    /// Tests: the loss of updates [from, to) reads as not a number.
    void failLossForTest(std::int64_t from, std::int64_t to) { failFrom_ = from, failTo_ = to; }

private:
    Optimizer& optimizer() const { return *team_->first().optimizer; }

    struct Snapshot {
        std::shared_ptr<LanguageModel> model; ///< null: it could not be copied
        RunConfig config; ///< as it was then: training changes its own
        std::int64_t step = 0;
    };

    // Start: trainer_start.cpp
    RunFile readOrPlan(const TrainingRequest& request);
    void checkMemory() const;
    void checkDisk(bool resume) const;
    std::shared_ptr<LanguageModel> readTeacher(const TrainingRequest& request); ///< null: nothing is converted
    void build(const TrainingRequest& request, const LanguageModel* teacher, EventSink& progress);
    bool beginsWithGivenWeights() const; ///< of another run or file, not drawn from the seed
    void createRun(const TrainingRequest& request);
    void takeFreshFolder(const TrainingRequest& request);
    fs::path newestCheckpoint(const TrainingRequest& request) const; ///< to resume from; empty if there is none yet
    TrainingState readState(const fs::path& checkpoint); ///< weights, moments, counters; the run's files stay
    void restore(const TrainingState& state);
    void cutBack(const fs::path& checkpoint, const TrainingState& state, EventSink& progress);
    void putOnRecord(const Event& event, EventSink& progress); ///< and tell it, before the run goes on
    void tellMissing(std::size_t weights, EventSink& progress); ///< that were kept for averages

    // Start of a fork: trainer_fork.cpp
    void openFork(const TrainingRequest& request);
    /// The state of the checkpoint that is forked, with all that is read of its files: the run is not made yet.
    TrainingState readParent(const TrainingRequest& request);
    bool prunes() const; ///< a fork with fewer parts than its parent
    bool anotherNetwork() const; ///< a fork that prunes, or reads its parent's weights in another way
    std::string takeCourse(TrainingState& state); ///< why the data begin anew, empty if they go on
    void beginFork(const TrainingState& state, const std::string& dataAnew, EventSink& progress);
    /// From other weights than random ones.
    void start(LanguageModel& model, const fs::path& weights, EventSink& progress);

    // One step, and what happens between steps
    RunState train(const std::stop_token& stop);
    bool update();
    HardwareReading readMeters();
    std::vector<Batch> readBatches(); ///< of the next update
    void serve(const std::stop_token& stop); ///< commands and snapshots; waits here while paused
    void perform(const Command& command, const std::stop_token& stop);
    void change(const WantedSettings& wanted); ///< all, or each that goes
    void changeAsPlanned(); ///< in a replay
    void serveSnapshots();
    void intervals(const std::stop_token& stop); ///< what is due after an update, from due_ on
    void emit(const Event& event);
    TimeAccount::Scope spends(TimeAccount::Activity activity) { return { time_ ? &*time_ : nullptr, activity }; }
    void tellTime();
    // These leave nothing half done: stopped, they have written nothing and give nothing.
    std::optional<Evaluation> score(LanguageModel& model, const std::stop_token& stop) const; ///< validation split
    bool evaluate(const std::stop_token& stop);
    void keepForAverages(const std::function<void()>& work);
    void finishAverages(const std::stop_token& stop);
    bool sample(const std::string& prompt, const std::stop_token& stop);
    std::string save(); ///< why it could not; empty if it could
    RunState finish(RunState state, std::string detail);

    // What is said of an update that is not like the others: trainer_alerts.cpp
    void watchUpdate(const UpdateResult& result, const std::vector<Batch>& batches, bool distilling);
    std::optional<AlertEvent> alertOf(const UpdateResult& result, bool distilling);
    void examine(AlertEvent& alert, const std::vector<Batch>& batches);
    void keepCheckpointBefore();
    void noteUsualGradients(); ///< for the next alert to compare with
    Json alertState() const; ///< of a checkpoint
    void restoreUsual(const Json& alerts); ///< what an alert stands beside: the norms before it

    // These two before file_, whose start fills them.
    std::unique_ptr<RunLock> lock_;
    RunConfig stood_; ///< resume: the settings as the last process left them
    RunFile file_;
    std::optional<ForkPoint> fork_;
    std::deque<SettingChange> changesToCome_; ///< of a replay
    TrainingConfig& config_;
    RunDirectory run_;
    std::shared_ptr<const Corpus> corpus_;
    std::optional<ReferenceEvent> references_; ///< from the start on
    std::unique_ptr<MetricsWriter> metrics_;
    torch::Device device_ = torch::kCPU;
    torch::Dtype matrix_ = torch::kFloat;
    std::unique_ptr<Hosts> hosts_; ///< until the team has them
    std::unique_ptr<Team> team_;
    UpdateWork work_ { file_.config };
    std::unique_ptr<WeightAverages> averages_;
    std::unique_ptr<BatchSource> batches_;
    std::vector<std::unique_ptr<HardwareMeter>> meters_; ///< of the devices that tell
    std::optional<ActiveClock> clock_; ///< from run() on
    std::optional<TimeAccount> time_; ///< by this clock
    std::optional<double> gemm_; ///< FLOP/s

    std::int64_t step_ = 0, tokens_ = 0, startedAt_ = 0;
    double seconds_ = 0, secondsBefore_ = 0, ///< of this process
        bestNll_ = std::numeric_limits<double>::infinity(), lastNll_ = std::numeric_limits<double>::quiet_NaN();
    std::int64_t lastEval_ = -1, nonFinite_ = 0, failFrom_ = -1, failTo_ = -1;
    std::int64_t lastSave_ = -1; ///< the step whose checkpoint says all there is; -1: none does
    Plateau plateau_;
    LossWatch watch_;
    bool exploded_ = false; ///< as LossWatch::diverges() says
    /// Of the logarithm of the gradient's norm, which differs by a few times from update to update.
    LossWatch normWatch_ { 0.25 };
    AlertLimit alertLimit_;
    std::optional<double> normBefore_; ///< of the gradient of the last update that was done
    std::vector<PartGradient> usualGradients_;
    std::int64_t usualStep_ = 0;
    EventSink* sink_ = nullptr;
    std::string due_; ///< what a stop has left out at this step, with all that comes after it; empty: nothing
    bool paused_ = false, metricsProblem_ = false;
    bool changedByResume_ = false; ///< settings, since the checkpoint that it goes on from

    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<Command> commands_;
    std::vector<std::pair<std::int64_t, std::promise<Snapshot>>> waiting_; ///< by ticket
    std::int64_t asked_ = 0; ///< requests so far
    bool ended_ = false;
};

} // namespace pha
