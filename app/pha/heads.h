// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

namespace pha::cli {

/// `pha inspect --heads`: what each head does with random tokens that come twice, and how long states remember. Exit
/// code.
int showHeads(LoadedModel& model, bool json);

Json headsToJson(const std::vector<HeadFigures>& heads);
Json memoryToJson(const std::vector<StateMemory>& memory);

} // namespace pha::cli
