// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

namespace pha {

/// Trains, reads or writes random tokens with each preset at each context and reports medians. Throws ConfigError.
std::vector<BenchRow> runBench(
    const BenchRequest& request, const std::function<void(const BenchRow&)>& onRow, std::stop_token stop);

} // namespace pha
