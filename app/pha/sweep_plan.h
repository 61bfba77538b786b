// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/sweep.h"
#include "engine/run/sweep_state.h"

namespace pha::cli {

/// Tokens that are still to be trained on.
double tokensAhead(const RunConfig& config, const PlannedState& state);
/// "goes on after step 250".
std::string goesOnText(const PlannedState& state);
/// The runs of a plan with what they cost, how long they will take and how far they are, on stdout. Returns the exit
/// code.
int printSweepPlan(const SweepPlan& plan, const std::vector<PlannedState>& states, const fs::path& folder, bool json);

} // namespace pha::cli
