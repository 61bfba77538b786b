// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/posix_file.h"

#include <string>

namespace pha {

/// Opens a file of the user's to be read. Throws DataError, with `advice`, if it is not there, closed to us, or no
/// regular file; IoError if this machine is at fault (too many open files, a broken disk): then trying again may help.
PosixFile openInput(
    const std::filesystem::path& path, const std::string& advice = "check the path and its permissions");

} // namespace pha
