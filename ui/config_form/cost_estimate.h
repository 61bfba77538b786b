// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"
#include "engine/engine.h"
#include "engine/run/fork_point.h"
#include "engine/run/time_estimate.h"

#include <optional>

namespace pha::ui {

/// What a valid configuration will cost, worked out without building anything. Some microseconds.
struct CostEstimate {
    std::int64_t parameters = 0;
    bool exact = true; ///< else the text may fill the vocabulary with fewer pieces than were asked for
    double memoryBytes = 0; ///< that training needs
    double availableBytes = 0; ///< on the device it would use, 0 if unknown
    double tokens = 0; ///< that it will train on: of a fork those after its beginning
    double seconds = -1; ///< negative: no run says how fast one is
    std::optional<TimeEstimate::Basis> basis; ///< of the seconds
};

/// `vocabulary`: of the tokenizer, if there is one already.
CostEstimate estimateCosts(const RunConfig& config, const std::optional<EngineInfo>& engine,
    const std::optional<TimeEstimate::Basis>& basis, const std::optional<std::int64_t>& vocabulary,
    const std::optional<ForkPoint>& fork = {});

/// Bytes of memory that programs could still take, 0 if the system does not say.
double availableMemory();
/// Resident bytes of this process, 0 if the system does not say.
double processMemory();

} // namespace pha::ui
