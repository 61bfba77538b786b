// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>

namespace pha {

/// A base directory of the user: $`variable`, else `below` in the home folder, which is $HOME, else what the system
/// knows of the user. A relative value counts as unset, as the base directory specification has it. Empty if there is
/// no home.
std::filesystem::path userFolder(const char* variable, const char* below);

} // namespace pha
