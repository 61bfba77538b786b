// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/pha/command.h"

namespace pha::cli {

// The parts of `pha data` that take time.
void addDataPrepare(CLI::App& data, Program& program);
void addDataDownload(CLI::App& data, Program& program);

} // namespace pha::cli
