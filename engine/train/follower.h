// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

namespace pha {

/// Engine::join(): the devices of this computer as members of a run that another one leads (engine/train/hosts.h).
RunState followRun(const JoinRequest& request, EventSink& sink, const std::stop_token& stop);

} // namespace pha
