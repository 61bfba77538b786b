// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"

#include <stop_token>
#include <string>

namespace pha {

/// Ends what a user has stopped and what is not kept half done. `what` begins the sentence: "the look inside".
inline void throwIfStopped(const std::stop_token& stop, const char* what, const char* todo = "start it again")
{
    if (stop.stop_requested()) throw Error(std::string(what) + " was stopped", todo);
}

} // namespace pha
