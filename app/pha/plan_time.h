// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/run/time_estimate.h"

#include <optional>
#include <string>

namespace pha::cli {

/// Seconds, and what they rest on, into the document of a plan; null if nothing is known.
void addTime(Json& plan, const std::optional<TimeEstimate::Basis>& basis, double seconds);
/// Why there is no estimate: "no run below /runs has trained long enough to measure by".
std::string notMeasured(const fs::path& folder);

} // namespace pha::cli
