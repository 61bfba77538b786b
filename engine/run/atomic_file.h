// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <string>

namespace pha {
/// Replaces `file` with `content`: temporary sibling, write, fsync, rename, fsync of the folder; every step checked.
/// Readers see the old or the new content, never a mixture, also after a power cut. Throws IoError.
void writeFileAtomically(const std::filesystem::path& file, const std::string& content);
/// Whole content of a regular file of at most `limit` bytes. Throws DataError.
std::string readFile(const std::filesystem::path& file, std::int64_t limit = std::int64_t(1) << 31);
/// fsync of a file or folder by path; throws IoError.
void syncPath(const std::filesystem::path& path);
} // namespace pha
