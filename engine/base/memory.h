// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>

namespace pha {

/// Bytes that this program may still take of the machine's memory and of what its control groups (a container's limit)
/// leave it; 0 if nobody knows. `root`: where /proc and /sys are.
std::int64_t availableMemory(const std::filesystem::path& root = "/");

} // namespace pha
