// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/pha/train_request.h"

#include <optional>

/// Runs that several computers share.
namespace pha::cli {

/// This process among those that torchrun, or whoever sets its variables, has started with one command.
struct LaunchedPlace {
    std::int64_t rank = 0, size = 1; ///< of all
    std::int64_t localRank = 0, localSize = 1; ///< of this computer
    std::string host, port, key; ///< of rank 0
};
/// From RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT; nothing if it is alone. Throws
/// ConfigError.
std::optional<LaunchedPlace> launchedPlace();

/// Whom a run waits for. Throws ConfigError.
OtherComputers otherComputers(const TrainOptions& options, const std::optional<LaunchedPlace>& place);
void printInvitation(const OtherComputers& others); ///< the command for the others

JoinRequest joinRequest(const LaunchedPlace& place, const TrainOptions& options);
int joinRun(JoinRequest request, bool json);

} // namespace pha::cli
