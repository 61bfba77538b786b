// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"
#include "engine/model/watch.h"

#include <vector>

namespace pha {

/// How the values that `watch` has kept of a pass are distributed, in the order in which they came.
std::vector<ActivationFigures> readActivations(const Watch& watch);

} // namespace pha
