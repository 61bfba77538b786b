// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/metrics.h"

namespace pha {
/// As eventFromJson, but for a tree whose objects find their keys fast however many there are: foreign lines may have a
/// hundred thousand. An object of a known type with members of wrong types counts as damaged.
MetricsLine metricsLineFromJson(const nlohmann::json& json);
} // namespace pha
