// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <nlohmann/json.hpp>

namespace pha {
/// Keys keep the order in which they are written, so files read like their documentation.
using Json = nlohmann::ordered_json;
} // namespace pha
