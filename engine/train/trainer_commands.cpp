// SPDX-License-Identifier: GPL-3.0-or-later
// What other threads ask of a running Trainer: commands and copies of its weights, both served between two steps.
#include "engine/base/error.h"
#include "engine/eval/loaded_model.h"
#include "engine/model/weights.h"
#include "engine/torch/device.h"
#include "engine/train/trainer.h"

namespace pha {

void Trainer::post(Command command)
{
    {
        const std::lock_guard lock(mutex_);
        commands_.push_back(std::move(command));
    }
    wake_.notify_all();
}

std::shared_ptr<LoadedModel> Trainer::snapshot(std::chrono::milliseconds patience)
{
    std::future<Snapshot> copy;
    std::int64_t ticket = 0;
    {
        const std::lock_guard lock(mutex_);
        if (ended_ || !sink_) return nullptr;
        ticket = ++asked_;
        copy = waiting_.emplace_back(ticket, std::promise<Snapshot>()).second.get_future();
    }
    wake_.notify_all();
    if (copy.wait_for(patience) != std::future_status::ready) {
        const std::lock_guard lock(mutex_); // a copy that nobody waits for is not made; one that is begun is waited for
        if (std::erase_if(waiting_, [&](const auto& one) { return one.first == ticket; }) > 0) return nullptr;
    }
    try {
        auto taken = copy.get();
        if (!taken.model) return nullptr;
        return std::make_shared<NetworkModel>(
            std::move(taken.model), std::move(taken.config), taken.step, corpus_->tokenizer(), corpus_, matrix_);
    } catch (const std::future_error&) { // the run ended first
        return nullptr;
    }
}

void Trainer::serveSnapshots()
{
    std::vector<std::pair<std::int64_t, std::promise<Snapshot>>> asked;
    {
        const std::lock_guard lock(mutex_);
        asked.swap(waiting_);
    }
    if (asked.empty()) return;
    for (auto& [ticket, promise] : asked) { // each owner works on a copy of its own
        Snapshot taken { nullptr, file_.config, step_ };
        try {
            auto copy = emptyModel(model().config());
            copy->to(device_);
            copyWeights(model(), *copy);
            taken.model = std::move(copy);
        } catch (const std::exception&) { // no memory for it: who asked gets none, and training goes on
        }
        promise.set_value(std::move(taken));
    }
}

void Trainer::serve(const std::stop_token& stop)
{
    changeAsPlanned();
    do {
        serveSnapshots();
        std::deque<Command> commands;
        {
            std::unique_lock lock(mutex_);
            if (paused_) wake_.wait(lock, stop, [this] { return !commands_.empty() || !waiting_.empty(); });
            commands.swap(commands_);
        }
        for (const auto& command : commands) perform(command, stop);
    } while (paused_ && !stop.stop_requested());
    serveSnapshots();
}

void Trainer::perform(const Command& command, const std::stop_token& stop)
{
    const auto record = [&](const char* name, const std::string& value = {}) {
        emit(CommandEvent { step_, name, value });
    };
    switch (command.kind) {
    case Command::Kind::Pause:
        if (paused_) return;
        paused_ = true;
        record("pause");
        if (lastSave_ != step_) save(); // a paused run may be left for days
        emit(StatusEvent { step_, RunState::Paused, {} });
        return;
    case Command::Kind::Resume:
        if (!paused_) return;
        paused_ = false;
        record("resume");
        emit(StatusEvent { step_, RunState::Running, {} });
        return;
    case Command::Kind::Evaluate:
        record("evaluate");
        if (evaluate(stop)) lastSave_ = -1; // a resume cuts off what came after the save, and this may be the last
        return;
    case Command::Kind::Sample:
        record("sample", command.text);
        if (sample(command.text, stop)) lastSave_ = -1;
        return;
    case Command::Kind::Checkpoint:
        record("checkpoint");
        save();
        return;
    case Command::Kind::Change:
        return change({ { command.text, command.value } });
    }
}

/// What was changed at one step is changed together: a resume may have given what is valid in no other way.
void Trainer::changeAsPlanned()
{
    while (!changesToCome_.empty() && changesToCome_.front().step <= step_) {
        const auto at = changesToCome_.front().step;
        auto changed = file_.config;
        WantedSettings wanted;
        for (; !changesToCome_.empty() && changesToCome_.front().step == at; changesToCome_.pop_front()) {
            const auto& next = changesToCome_.front();
            const auto before = changed.get(next.key);
            changed.set(next.key, next.value);
            const auto value = changed.get(next.key);
            if (value != before) wanted.emplace_back(next.key, value); // else done before the run was stopped
        }
        change(wanted);
    }
}

/// run.json says it before metrics.jsonl does: whoever sees the event can read it there.
void Trainer::change(const WantedSettings& wanted)
{
    if (wanted.empty()) return;
    std::vector<SettingChange> done;
    try {
        const auto changed = withChanges(file_.config, wanted, step_);
        auto stood = file_.config;
        for (const auto& [key, value] : wanted) {
            const auto was = settingText(stood.get(key));
            stood.setJson(key, value);
            done.push_back({ step_, key, settingText(stood.get(key)), was });
        }
        file_.config = changed;
    } catch (const std::exception&) { // the run goes on as it was
        if (wanted.size() == 1) return emit(CommandEvent { step_, wanted.front().first, "refused" });
        for (const auto& one : wanted) change({ one }); // in a replay with other settings: what goes with these
        return;
    }
    team_->adopt(config_);
    averages_->adopt(config_);
    lastSave_ = -1; // what was saved at this step has the old value, with which a resume would go on
    try {
        auto file = run_.read(RunUse::View); // its name may be another by now
        file.config = file_.config;
        run_.write(file);
    } catch (const Error& error) { // the next checkpoint says it too
        emit(StatusEvent { step_, RunState::Running, error.what() });
    }
    for (const auto& one : done) emit(toEvent(one));
}

} // namespace pha
