// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_directory.h"

#include <charconv>
#include <chrono>
#include <csignal>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pha {
namespace {

fs::path lockFile(const fs::path& run) { return run / ".lock"; }

int writtenPid(const PosixFile& file)
{
    char text[32] = {};
    int pid = 0;
    const auto size = file.readAt(text, sizeof text - 1, 0);
    std::from_chars(text, text + size, pid);
    return pid;
}

/// False if the file was removed or replaced between opening and locking it: such a lock excludes nobody.
bool stillInPlace(const PosixFile& file)
{
    struct stat there { };
    const auto here = file.status();
    return ::lstat(file.path().c_str(), &there) == 0 && there.st_ino == here.st_ino && there.st_dev == here.st_dev;
}

} // namespace

RunLock::RunLock(const fs::path& run)
{
    for (int attempt = 0;; ++attempt) {
        PosixFile file(lockFile(run), O_RDWR | O_CREAT | O_NOFOLLOW);
        file.requireRegular();
        if (file.lock(LOCK_EX | LOCK_NB)) {
            if (!stillInPlace(file)) continue;
            file_ = std::move(file);
            break;
        }
        // An owner has its id in the file. Otherwise somebody is only asking who holds the lock, or has just taken it
        // and is about to write: both are a matter of microseconds, but on a busy machine a process may be kept waiting
        // in them.
        const int pid = writtenPid(file);
        const bool owned = pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
        if (attempt >= (owned ? 5 : 400))
            throw CheckpointError(run.string(),
                pid > 0 ? "is in use by process " + std::to_string(pid) : "is in use by another process",
                "open it as a viewer or stop that process");
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    file_.truncate(0);
    const auto text = std::to_string(::getpid()) + "\n";
    file_.write(text.data(), text.size());
    sweepTemporaries(run, false);
    sweepCheckpoints(RunDirectory(run).checkpoints());
}

RunLock::~RunLock()
{
    // Whoever meets the lock in the next microseconds should not be told our id. Failing to is harmless.
    if (file_.isOpen() && ::ftruncate(file_.descriptor(), 0) != 0) return;
}

int RunLock::holder(const fs::path& run)
{
    try {
        const PosixFile file(lockFile(run), O_RDONLY | O_NOFOLLOW);
        file.requireRegular();
        if (file.lock(LOCK_SH | LOCK_NB)) return 0;
        const int pid = writtenPid(file);
        return pid > 0 ? pid : 1; // held, by a process that has not written its id yet
    } catch (const IoError&) {
        return 0; // no lock file: nobody has ever trained here
    }
}

} // namespace pha
