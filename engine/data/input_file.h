// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/posix_file.h"

#include <string>

namespace pha {

/// Opens a file of the user's to be read. Throws DataError, with `advice`, if it is not there, closed to us, or no
/// regular file; FileError if this machine is at fault (too many open files, a broken disk, a server that is away):
/// then trying again may help.
PosixFile openInput(
    const std::filesystem::path& path, const std::string& advice = "check the path and its permissions");

/// Says why a file of the user's that was opened cannot be read: throws DataError naming `where`, or the error as it is
/// if this machine is at fault.
[[noreturn]] void throwUnreadable(const std::string& where, const FileError& error);

} // namespace pha
