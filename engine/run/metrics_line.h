// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/metrics.h"

#include <utility>

namespace pha {
inline constexpr std::pair<RunState, const char*> stateNames[] = { { RunState::Preparing, "preparing" },
    { RunState::Running, "running" }, { RunState::Paused, "paused" }, { RunState::Finished, "finished" },
    { RunState::Stopped, "stopped" }, { RunState::Diverged, "diverged" }, { RunState::Failed, "failed" } };
inline const char* nameOf(RunState wanted)
{
    for (const auto& [state, name] : stateNames)
        if (state == wanted) return name;
    return "";
}

/// As eventFromJson, but for a tree whose objects find their keys fast however many there are: foreign lines may have a
/// hundred thousand. An object of a known type with members of wrong types counts as damaged.
MetricsLine metricsLineFromJson(const nlohmann::json& json);
} // namespace pha
