// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/engine.h"

#include <optional>

namespace pha {

/// One measurement as `pha bench --json` prints it and the window keeps it.
Json benchRowToJson(const BenchRow& row);
/// Nothing if a figure is missing or is no number: such files come from other versions or are damaged.
std::optional<BenchRow> benchRowFromJson(const Json& json);

} // namespace pha
