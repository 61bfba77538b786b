// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/plan_time.h"

#include "app/pha/terminal.h"

namespace pha::cli {

void addTime(Json& plan, const std::optional<TimeEstimate::Basis>& basis, double seconds)
{
    plan["seconds"] = basis ? Json(seconds) : Json();
    plan["seconds_from"] = basis
        ? Json { { "run", basis->run }, { "same_shape", basis->sameShape }, { "same_processor", basis->samePlace } }
        : Json();
}

std::string notMeasured(const fs::path& folder)
{
    return "no run below " + oneLine(folder.string()) + " has trained long enough to measure by";
}

} // namespace pha::cli
