// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/sweep_state.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/tasks.h"

namespace pha {

namespace {

/// The changes that lead from what is planned to what the run has.
std::vector<SettingChange> changesSince(const PlannedRun& planned, const RunOverview& run)
{
    const auto keys = otherSettings(planned.config, *run.config);
    auto changes = settingChanges(run.directory);
    if (keys.empty() || otherSettings(planned.config, withoutChanges(*run.config, changes)).empty()) return changes;
    const auto& key = keys.front();
    throw CheckpointError(run.directory.string(),
        "this run is there with " + key + " " + run.config->get(key).dump() + " instead of "
            + planned.config.get(key).dump(),
        "give the sweep another name, or plan what only adds runs: further values, further seeds");
}

std::int64_t savedStep(const fs::path& directory)
{
    const auto checkpoints = RunDirectory(directory).list();
    return checkpoints.empty() ? 0 : checkpointStep(checkpoints.back()).value_or(0);
}

} // namespace

std::vector<std::string> otherSettings(const RunConfig& planned, const RunConfig& stored)
{
    auto config = planned;
    settleTaskShape(config);
    config.model.vocabulary = stored.model.vocabulary;
    for (const auto& [group, field] : allFields())
        if (ofOneProcess(field.name)) config.setJson(field.name, stored.get(field.name));
    return changedFields(config, stored);
}

PlannedState plannedState(const PlannedRun& planned, const std::filesystem::path& directory)
{
    PlannedState state;
    if (!RunDirectory(directory).exists()) {
        RunDirectory(directory).requireFresh();
        return state;
    }
    state.run = readOverview(directory);
    if (!state.run.config) // a run.json that cannot be read says so when it is asked for again
        throw CheckpointError(directory.string(), state.run.detail, "give the sweep another name, or remove it");
    state.saved = savedStep(directory);
    state.changes = changesSince(planned, state.run);
    using Todo = PlannedState::Todo;
    if (state.run.holder != 0)
        state.todo = Todo::Busy;
    else if (state.run.state == RunState::Finished || state.run.state == RunState::Diverged
        || state.saved > state.run.steps)
        state.todo = Todo::Nothing;
    else
        state.todo = Todo::GoOn;
    return state;
}

} // namespace pha
