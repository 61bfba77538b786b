// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/posix_file.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace pha {

/// Replaces a file whole or not at all: temporary sibling, write, fsync, rename, fsync of the folder; every step
/// checked. Readers see the old or the new content, never a mixture, also after a power cut. A symbolic link at the
/// target is replaced, not followed. Everything throws IoError; without commit() the destructor removes the temporary
/// file.
class AtomicFile {
public:
    explicit AtomicFile(std::filesystem::path file);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(const void* data, std::size_t size);
    void commit();
    /// As commit(), but leaves a file that is already there alone and returns false.
    bool commitNew();

private:
    void seal();

    std::filesystem::path file_, temporary_;
    PosixFile out_;
};

void writeFileAtomically(const std::filesystem::path& file, const std::string& content);
/// Whole content of a regular file of at most `limit` bytes. Throws DataError.
std::string readFile(const std::filesystem::path& file, std::int64_t limit = std::int64_t(1) << 31);
/// fsync of a file or folder by path; throws IoError.
void syncPath(const std::filesystem::path& path);

} // namespace pha
