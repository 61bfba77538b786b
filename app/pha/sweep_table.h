// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <string>

namespace pha::cli {

/// The runs of a sweep, which have its name as their tag, on stdout: a row a combination with the mean and the range
/// over its seeds, the lowest validation loss first. Returns the exit code. Throws DataError if there are none.
int printSweepTable(const std::filesystem::path& folder, const std::string& name, bool json);

} // namespace pha::cli
