// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"
#include "engine/run/run_directory.h"

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// What the readers of alerts, command line and window, ask of a run beside the alert itself.
namespace pha {

/// Mixing weights as they were last measured before the update `step`, and first after it; null: they were not.
struct MixingAround {
    const MixingEvent *before = nullptr, *after = nullptr;
};
MixingAround mixingAround(std::span<const MixingEvent> events, std::int64_t step);

/// The newest checkpoint that update `step` is not in, by its name; empty if there is none (any more).
std::string checkpointBefore(const RunDirectory& run, std::int64_t step);
/// skip_data for a fork that goes around the data of `updates` updates from `step` on, with the places that the run
/// itself goes around.
std::string skipFrom(const std::string& skipData, std::int64_t step, std::int64_t updates);

/// The most expensive tokens of an excerpt, the most expensive first.
std::vector<CostlyToken> costliestTokens(const CostlyText& text, std::size_t most);

} // namespace pha
