// SPDX-License-Identifier: GPL-3.0-or-later
// What the tests of run directories share: raw files, and children that die at chosen moments.
#pragma once

#include "engine/base/error.h"
#include "engine/base/posix_file.h"

#include <QDir>
#include <QTemporaryDir>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pha::test {
namespace fs = std::filesystem;

inline fs::path pathOf(const QTemporaryDir& folder) { return folder.path().toStdString(); }

/// Where the many small saves of a sweep over all faults go: memory, so that a thousand fsyncs do not wait for a disk.
inline QString scratchTemplate()
{
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    return (memory ? QStringLiteral("/dev/shm") : QDir::tempPath()) + QStringLiteral("/pha-test-XXXXXX");
}

inline void writeRaw(const fs::path& file, const std::string& content)
{
    std::ofstream(file, std::ios::binary).write(content.data(), std::streamsize(content.size()));
}

inline std::string readRaw(const fs::path& file)
{
    std::ifstream in(file, std::ios::binary);
    return { std::istreambuf_iterator<char>(in), {} };
}

/// Runs `work` in a forked child and returns its wait status. An exception ends it with 99.
inline int inChild(const std::function<int()>& work)
{
    const auto pid = ::fork();
    if (pid == 0) {
        int code = 99;
        try {
            code = work();
        } catch (...) {
        }
        ::_exit(code);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status;
}
/// The same as somebody who is not root, to whom nothing is closed. Exits with 77 where that, or the way to `folder`,
/// is not to be had.
inline int inChildOfNobody(const fs::path& folder, const std::function<int()>& work)
{
    return inChild([&] {
        if (::geteuid() == 0 && ::seteuid(65534) != 0) return 77;
        return ::euidaccess(folder.c_str(), X_OK) == 0 ? work() : 77;
    });
}
inline bool exitedWith(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
inline bool killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }

/// Memory that parent and children see alike.
template <class T> T* shared(std::size_t count = 1)
{
    void* memory = ::mmap(nullptr, sizeof(T) * count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : static_cast<T*>(memory);
}

/// Makes the n-th file operation from now on (counted from 1) fail, or the process die before it.
struct Fault {
    static inline int countdown = 0, error = 0; ///< error 0: SIGKILL
    static inline bool noExchange = false; ///< behave like a file system that cannot swap names

    static int hook(const char* operation, const fs::path&)
    {
        if (countdown > 0 && --countdown == 0) {
            if (error == 0) ::kill(::getpid(), SIGKILL);
            return error;
        }
        return noExchange && std::string(operation) == "exchange" ? ENOSYS : 0;
    }
    Fault(int operation, int number)
    {
        countdown = operation, error = number;
        faultHook = hook;
    }
    ~Fault()
    {
        faultHook = nullptr;
        countdown = 0;
    }
    bool happened() const { return countdown == 0; }
};

inline int countTemporaries(const fs::path& folder)
{
    int count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        count += entry.path().filename().string().starts_with(".tmp-");
    return count;
}

/// The message of the Error that `work` throws, empty if none.
template <class E = Error> std::string messageOf(const std::function<void()>& work)
{
    try {
        work();
    } catch (const E& error) {
        return error.what();
    }
    return {};
}

} // namespace pha::test
