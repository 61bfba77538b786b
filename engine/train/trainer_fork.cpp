// SPDX-License-Identifier: GPL-3.0-or-later
// How a fork begins: a new run that takes the course of another one over where a checkpoint of it stands.
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/train/checkpoint.h"
#include "engine/train/trainer.h"

namespace pha {

namespace {

/// Settings on which the order of the training data depends, as batch sources and as the form call them.
constexpr std::pair<const char*, const char*> decidesData[] { { "rows", "batch_size" }, { "context", "context" },
    { "seed", "seed" }, { "kind", "data" }, { "data", "data" } };

/// Names of what is not as it was when `saved` was written: empty if `fresh` can go on from there.
std::vector<std::string> changesOfData(const Json& saved, const Json& fresh)
{
    std::vector<std::string> names;
    for (const auto& [key, name] : decidesData)
        if (fresh.contains(key) && saved.value(key, Json()) != fresh[key] && (names.empty() || names.back() != name))
            names.emplace_back(name);
    return names;
}

} // namespace

void Trainer::openFork(const TrainingRequest& request)
{
    fork_ = readForkPoint(request.forkFrom);
    if (!request.forkMark.empty() && checkpointMark(fork_->checkpoint) != request.forkMark)
        throw CheckpointError(fork_->checkpoint.string(), "was written anew since this fork was queued",
            "fork it again if that is what you want");
    checkFork(*fork_, file_.config);
    file_.environment["parent"] = fork_->parent.toJson();
}

TrainingState Trainer::readParent(const TrainingRequest& request)
{
    for (int tries = 20;; --tries) {
        const auto before = folderIdentity(fork_->checkpoint);
        try {
            auto state = readState(fork_->checkpoint);
            if (!anotherNetwork()) averages_->readEma(fork_->checkpoint, model());
            return state;
        } catch (const Error&) { // of a run that is trained the newest one may be another by now
            if (tries == 1 || !checkpointReplaced(request.forkFrom, fork_->checkpoint, before)) throw;
            openFork(request);
        }
    }
}

bool Trainer::prunes() const { return fork_ && prunesMore(fork_->config, file_.config); }

bool Trainer::anotherNetwork() const { return prunes() || (fork_ && readsOtherwise(fork_->config, file_.config)); }

std::string Trainer::takeCourse(TrainingState& state)
{
    if (config_.seed != fork_->config.training.seed) team_->seedDropout(std::uint64_t(config_.seed));
    plateau_ = state.plateau;
    if (state.corpus == corpus_->fingerprint() && !anotherNetwork()) {
        watch_.restore(state.watch);
        restoreUsual(state.alerts);
    } else { // losses on another text, or of another network, are no measure of these
        plateau_.best = Plateau().best;
        plateau_.bad = 0;
        state.averages.erase("best");
    }
    const auto changed = changesOfData(state.data, batches_->state());
    if (changed.empty()) batches_->restore(state.data);
    return changed.empty() ? std::string() : "the training data begin anew with another " + joinList(changed);
}

void Trainer::beginFork(const TrainingState& state, const std::string& dataAnew, EventSink& progress)
{
    std::string set;
    for (const auto& key : changedFields(fork_->config, file_.config))
        set += (set.empty() ? ", with " : " ") + key + "=" + settingText(file_.config.get(key));
    putOnRecord(CommandEvent { step_, "fork", "of " + fork_->parent.text() + set }, progress);
    if (!dataAnew.empty()) putOnRecord(StatusEvent { step_, RunState::Preparing, dataAnew }, progress);
    if (anotherNetwork()) return; // a mean of weights of both would be none of either: averages begin anew
    averages_->copyFrom(RunDirectory(fork_->parent.path), state.averages);
    tellMissing(averages_->restore(fork_->checkpoint, state.averages), progress);
}

} // namespace pha
