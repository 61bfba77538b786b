// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"
#include "engine/run/fork_point.h"

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Settings that change while a run goes on. run.json says what stands now, every checkpoint what stood then, and
/// metrics.jsonl which value came at which update for which: with the same values at the same updates the course is
/// the same.
namespace pha {

struct TrainingRequest;

/// Whether a process was asked this, not the run: a later one has its own, and metrics.jsonl does not tell of it.
bool ofOneProcess(const std::string& key);
/// Whether a run takes another value of this setting over between two updates: what tells how it learns, how long and
/// what is recorded, not what its tensors and data are made of.
bool changesWhileTraining(const std::string& key);
/// Settings that all rates of the course follow: with muon the hidden matrices have a peak of their own.
std::vector<std::string> peakRates(const TrainingConfig& training);
/// `config` with another value. Throws ConfigError if it is not one of those settings, out of range, does not go with
/// the others, or wants an end before the `done` updates.
RunConfig withChange(const RunConfig& config, const std::string& key, const Json& value, std::int64_t done);
using WantedSettings = std::vector<std::pair<std::string, Json>>; ///< by key, one after the other
/// The same with several at once, which may be valid together only.
RunConfig withChanges(const RunConfig& config, const WantedSettings& wanted, std::int64_t done);

/// Before the update after `step`.
struct SettingChange {
    std::int64_t step = 0;
    std::string key, value, was; ///< as `--set` takes them
    std::string text() const; ///< "learning_rate 0.001 -> 0.0005 after step 120"
};
CommandEvent toEvent(const SettingChange& change);
/// Empty for what else a user did. Older lines, of which only the learning rate is known, do not say what was before.
std::optional<SettingChange> settingChange(const CommandEvent& event);

/// The changes that a run's metrics tell of, in the order of their updates. Throws DataError.
std::vector<SettingChange> settingChanges(const fs::path& run);
/// What a run with these settings, and these changes behind it, began with.
RunConfig withoutChanges(RunConfig config, const std::vector<SettingChange>& changes);

/// Puts the training settings that stood when a checkpoint was written into the run's. -> its step. Throws
/// CheckpointError.
std::int64_t takeSettings(const fs::path& checkpoint, RunConfig& config);
/// Throws CheckpointError, and says what can be done instead, if the checkpoint is of a capsule with weights alone.
void requireTrainingState(const fs::path& checkpoint);
/// run.json, with what the run goes on with from its newest checkpoint, or from the one that is named. Throws
/// CheckpointError.
RunFile readToResume(const fs::path& run, const fs::path& checkpoint = {});
/// What another start of the run at `step` has changed, without what is a matter of each process.
std::vector<SettingChange> changesOnResume(const RunConfig& before, const RunConfig& after, std::int64_t step);

/// A run to be done once more, with the same changes at the same updates.
struct Replay {
    fs::path run;
    std::string name; ///< of that run
    RunConfig config; ///< as it began, with the device, the threads and the precision that it had
    std::vector<SettingChange> changes; ///< in the order of their updates
    fs::path initFrom, convertFrom, forkFrom; ///< what it began from; as in TrainingRequest
    std::string corpus, tokenizer; ///< fingerprints
    TrainingRequest request() const; ///< without a folder and a name
    Json toJson() const; ///< {"path","name","changes"}, for run.json: the replay may be stopped and resumed
};
/// What is still to come in a replay of which `done` updates are done; nothing in any other run.
std::deque<SettingChange> changesToCome(const RunFile& replay, std::int64_t done);

/// The run that a replay repeats, which may have gone since; empty for any other run.
fs::path repeatedRun(const RunFile& file);

/// Reads run.json and metrics.jsonl. Throws CheckpointError, DataError, and Error if what the run began from is gone.
Replay readReplay(const fs::path& run);

/// Two courses, update by update.
struct CourseComparison {
    std::int64_t updates = 0; ///< that both have
    std::int64_t first = -1; ///< the first update with another loss, -1: none
    double largest = 0; ///< difference of two losses, nats
    std::string text() const; ///< "380 updates, every loss the same"
};
CourseComparison compareCourses(const fs::path& run, const fs::path& other);

} // namespace pha
