// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"

#include <string>
#include <vector>

namespace pha::cli {

/// What the layers are made of, equal ones together: "0, 2-6: gss", "1: attention, main".
std::vector<std::string> layerLines(const ModelConfig& model);
/// What it keeps while it writes. `inside`: what the bytes of a token are, "keys and values in fp32".
std::string keptLine(
    const ModelConfig& model, std::int64_t cacheBytesPerToken, std::int64_t fixedStateBytes, const std::string& inside);

} // namespace pha::cli
