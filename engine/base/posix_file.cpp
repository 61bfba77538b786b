// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/posix_file.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <csignal>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pha {
namespace fs = std::filesystem;

FaultHook faultHook = nullptr;

namespace {

/// True if a test wants this operation to fail; errno says how.
bool faulted(const char* operation, const fs::path& path)
{
    const int error = faultHook ? faultHook(operation, path) : 0;
    if (error != 0) errno = error;
    return error != 0;
}

template <class Call> auto retried(Call&& call)
{
    auto result = call();
    while (result < 0 && errno == EINTR) result = call();
    return result;
}

bool alive(long pid) { return ::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM; }

} // namespace

void throwIoError(const fs::path& path, const char* doing, int error)
{
    throw FileError(path.string(), std::string("cannot ") + doing + ": " + std::strerror(error), error);
}

PosixFile::PosixFile(const fs::path& path, int flags, int mode)
    : path_(path)
{
    const bool fails = faulted("open", path);
    if (!fails)
        descriptor_ = retried([&] { return ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode); });
    if (descriptor_ < 0) throwIoError(path, (flags & O_CREAT) != 0 ? "create" : "open");
}

PosixFile::~PosixFile()
{
    if (descriptor_ >= 0) ::close(descriptor_);
}

PosixFile::PosixFile(PosixFile&& other) noexcept
    : path_(std::move(other.path_))
    , descriptor_(std::exchange(other.descriptor_, -1))
{
}

PosixFile& PosixFile::operator=(PosixFile&& other) noexcept
{
    path_.swap(other.path_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

struct stat PosixFile::status() const
{
    struct stat status { };
    if (::fstat(descriptor_, &status) != 0) throwIoError(path_, "examine");
    return status;
}

void PosixFile::requireRegular() const
{
    if (!S_ISREG(status().st_mode)) throw IoError(path_.string(), "is not a regular file");
}

void PosixFile::write(const void* data, std::size_t size)
{
    const auto* p = static_cast<const char*>(data);
    while (size > 0) {
        // A gigabyte a call: Linux takes at most two, and a stop request should not wait for more.
        const auto part = std::min(size, std::size_t(1) << 30);
        const auto written =
            faulted("write", path_) ? ssize_t(-1) : retried([&] { return ::write(descriptor_, p, part); });
        if (written < 0) throwIoError(path_, "write");
        p += written;
        size -= static_cast<std::size_t>(written);
    }
}

std::size_t PosixFile::readAt(void* out, std::size_t size, std::int64_t offset) const
{
    std::size_t done = 0;
    while (done < size) {
        const auto got = retried([&] {
            return ::pread(descriptor_, static_cast<char*>(out) + done, std::min(size - done, std::size_t(1) << 30),
                offset + static_cast<std::int64_t>(done));
        });
        if (got < 0) throwIoError(path_, "read");
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

void PosixFile::writeAt(const void* data, std::size_t size, std::int64_t offset)
{
    for (std::size_t done = 0; done < size;) {
        const auto written = faulted("write", path_) ? ssize_t(-1) : retried([&] {
            return ::pwrite(descriptor_, static_cast<const char*>(data) + done, size - done,
                offset + static_cast<std::int64_t>(done));
        });
        if (written < 0) throwIoError(path_, "write");
        done += static_cast<std::size_t>(written);
    }
}

void PosixFile::truncate(std::int64_t size)
{
    if (faulted("truncate", path_) || retried([&] { return ::ftruncate(descriptor_, size); }) != 0)
        throwIoError(path_, "shorten");
}

bool PosixFile::lock(int operation) const
{
    if (retried([&] { return ::flock(descriptor_, operation); }) == 0) return true;
    if (errno != EWOULDBLOCK) throwIoError(path_, "lock");
    return false;
}

bool PosixFile::lockSoon() const
{
    constexpr std::chrono::milliseconds patience(10'000), between(5);
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!lock(LOCK_EX | LOCK_NB)) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(between);
    }
    return true;
}

void PosixFile::sync()
{
    // Only a signal is a reason to try again: after any other error the kernel may have dropped the pages.
    if (faulted("sync", path_) || retried([&] { return ::fsync(descriptor_); }) != 0)
        throwIoError(path_, "write to disk");
}

void PosixFile::syncData()
{
    if (faulted("sync", path_) || retried([&] { return ::fdatasync(descriptor_); }) != 0)
        throwIoError(path_, "write to disk");
}

void PosixFile::close()
{
    const bool fails = faulted("close", path_);
    const int descriptor = std::exchange(descriptor_, -1);
    // On Linux the descriptor is gone whatever close() says, so EINTR is no failure.
    const int result = ::close(descriptor);
    if (fails || (result != 0 && errno != EINTR)) throwIoError(path_, "close");
}

void renamePath(const fs::path& from, const fs::path& to)
{
    if (faulted("rename", to) || ::rename(from.c_str(), to.c_str()) != 0) throwIoError(to, "put in place");
}

bool renameToNew(const fs::path& from, const fs::path& to)
{
    if (faulted("rename", to)) throwIoError(to, "put in place");
    if (!faulted("noreplace", to) && ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0)
        return true;
    if (errno == EEXIST) return false;
    if (errno != EINVAL && errno != ENOSYS) throwIoError(to, "put in place");
    // A file system without that flag: a hard link also fails on an existing name. Folders have none.
    std::error_code ignored;
    if (fs::is_directory(fs::symlink_status(from, ignored))) {
        if (fs::exists(fs::symlink_status(to, ignored))) return false;
        if (::rename(from.c_str(), to.c_str()) == 0) return true;
        if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR) return false; // there by now
        throwIoError(to, "put in place");
    }
    if (::link(from.c_str(), to.c_str()) == 0) return ::unlink(from.c_str()), true;
    if (errno == EEXIST) return false;
    throwIoError(to, "put in place");
}

bool exchangePaths(const fs::path& a, const fs::path& b)
{
    if (!faulted("exchange", b) && ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0)
        return true;
    if (errno == EINVAL || errno == ENOSYS) return false;
    throwIoError(b, "replace");
}

void removeTree(const fs::path& path)
{
    std::error_code error;
    if (faulted("remove", path)) throwIoError(path, "remove");
    fs::remove_all(path, error);
    if (error) throwIoError(path, "remove", error.value());
}

fs::path temporarySibling(const fs::path& path, const std::string& label)
{
    return path.parent_path() / (".tmp-" + label + "-" + std::to_string(::getpid()));
}

void sweepTemporaries(const fs::path& folder, bool ownToo) noexcept
try {
    std::error_code error;
    std::vector<fs::path> dead;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        const auto name = it->path().filename().string();
        const auto dash = name.rfind('-');
        if (!name.starts_with(".tmp-") || dash == std::string::npos) continue;
        long pid = 0;
        const char* last = name.data() + name.size();
        if (const auto [stop, problem] = std::from_chars(name.data() + dash + 1, last, pid);
            problem != std::errc() || stop != last || pid <= 0)
            continue;
        if (pid == ::getpid() ? ownToo : !alive(pid)) dead.push_back(it->path());
    }
    for (const auto& path : dead) fs::remove_all(path, error);
} catch (...) {
    // Out of memory at worst; the next start sweeps again.
}

} // namespace pha
