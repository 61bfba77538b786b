// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"

#include <string>
#include <vector>

namespace pha::cli {

/// What the layers are made of, equal ones together: "0, 2-6: gss", "1: attention, main".
std::vector<std::string> layerLines(const ModelConfig& model);

} // namespace pha::cli
