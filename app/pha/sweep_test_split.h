// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

namespace pha::cli {

/// Scores the whole test split with the newest checkpoint of each finished run of a sweep, as `pha eval` does, and
/// appends the figures to its metrics, where they stand until the run is trained further; nothing is scored twice. A
/// run whose text has no test split, or that cannot be read, is named in a warning and stops no other. False: it was
/// stopped.
bool scoreTestSplits(const std::filesystem::path& folder, const std::string& name, const std::stop_token& stop);

} // namespace pha::cli
