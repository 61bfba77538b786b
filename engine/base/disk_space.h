// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace pha {

/// Bytes that may still be written at `path`, which need not exist yet; the largest number if nobody knows.
std::uint64_t freeBytes(const std::filesystem::path& path);

/// Throws IoError, "PATH: WHAT needs about 2.1 GB, and 300 MB are free on its disk", unless `bytes` fit there.
void requireFree(const std::filesystem::path& path, const std::string& what, double bytes);

} // namespace pha
