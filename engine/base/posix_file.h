// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

struct stat;

namespace pha {

/// For tests: called before each file operation that can fail, with its name ("open", "write", "sync", "close",
/// "rename", "noreplace", "exchange", "mkdir", "remove"). An errno that it returns makes the operation fail with it; 0
/// lets it happen. Null in the programs; set it while no other thread works on files.
using FaultHook = int (*)(const char* operation, const std::filesystem::path& path);
extern FaultHook faultHook;

/// An IoError that still knows its errno.
class FileError : public IoError {
public:
    FileError(const std::string& path, const std::string& reason, int number)
        : IoError(path, reason)
        , path_(path)
        , number_(number)
    {
    }
    const std::string& path() const noexcept { return path_; }
    int number() const noexcept { return number_; }

private:
    std::string path_;
    int number_;
};
/// Throws FileError "PATH: cannot DO: strerror".
[[noreturn]] void throwIoError(const std::filesystem::path& path, const char* doing, int error = errno);

/// A file descriptor that knows its path; every operation is checked, restarted after a signal, and throws IoError.
class PosixFile {
public:
    PosixFile() = default;
    /// Opens close-on-exec and never blocks on a FIFO.
    PosixFile(const std::filesystem::path& path, int flags, int mode = 0644);
    ~PosixFile();
    PosixFile(PosixFile&& other) noexcept;
    PosixFile& operator=(PosixFile&& other) noexcept;

    bool isOpen() const { return descriptor_ >= 0; }
    int descriptor() const { return descriptor_; }
    const std::filesystem::path& path() const { return path_; }
    struct stat status() const;
    void requireRegular() const; ///< throws IoError for folders, FIFOs and devices
    void write(const void* data, std::size_t size);
    /// Reads up to `size` bytes at `offset`; fewer only at the end of the file.
    std::size_t readAt(void* out, std::size_t size, std::int64_t offset) const;
    void writeAt(const void* data, std::size_t size, std::int64_t offset); ///< not in a file that is appended to
    void truncate(std::int64_t size);
    void sync(); ///< fsync
    void syncData(); ///< fdatasync
    void close(); ///< reports what a delayed write found
    /// flock(2) with LOCK_SH or LOCK_EX; false if LOCK_NB was added and another holds it.
    bool lock(int operation) const;
    /// Exclusively, where each holds it for some milliseconds. False: somebody has held it for ten seconds.
    bool lockSoon() const;

private:
    std::filesystem::path path_;
    int descriptor_ = -1;
};

void renamePath(const std::filesystem::path& from, const std::filesystem::path& to);
/// Renames unless `to` exists; false if it does. On file systems that cannot do both at once an empty folder that
/// another process makes at that moment in place of a folder is lost.
bool renameToNew(const std::filesystem::path& from, const std::filesystem::path& to);
/// Swaps two paths in one step; false if the file system cannot.
bool exchangePaths(const std::filesystem::path& a, const std::filesystem::path& b);
void removeTree(const std::filesystem::path& path); ///< throws IoError; absent is fine

/// Temporary names all look like ".tmp-LABEL-PID", so that a later process can tell whose they were.
std::filesystem::path temporarySibling(const std::filesystem::path& path, const std::string& label);
/// Removes leftovers of dead processes (and of this one if `ownToo`) from a folder. Never throws: litter is no reason
/// to stop.
void sweepTemporaries(const std::filesystem::path& folder, bool ownToo) noexcept;

} // namespace pha
