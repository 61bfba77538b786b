// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/child_process.h"

#include "engine/base/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace pha {

namespace {

constexpr int childThrew = 101;

/// Bytes of address space in use. LibTorch and CUDA reserve far more than they touch, so the child's limit counts from
/// here.
rlim_t addressSpace()
{
    std::ifstream statistics("/proc/self/statm");
    rlim_t pages = 0;
    statistics >> pages;
    return pages * rlim_t(sysconf(_SC_PAGESIZE));
}

/// `grace`: how far beyond `value` the process may get with the signal that it is over.
void limit(int resource, rlim_t value, rlim_t grace = 0)
{
    const rlimit both { value, value + grace };
    setrlimit(decltype(RLIMIT_AS)(resource), &both);
}

[[noreturn]] void beChild(int out, int log, rlim_t bytes, int cpuSeconds, const std::function<int(std::string&)>& work)
{
    // The parent's handlers must not run here: they would report a crash of the program, or save a checkpoint.
    for (const int number : { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXCPU })
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); // Ctrl+C is for the parent, which then decides
    if (bytes > 0) limit(RLIMIT_AS, bytes);
    if (cpuSeconds > 0) limit(RLIMIT_CPU, rlim_t(cpuSeconds), 1); // SIGXCPU tells the parent
    limit(RLIMIT_CORE, 0);
    if (log < 0) log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (log >= 0) dup2(log, 2);
    int code = childThrew;
    std::string output;
    try {
        code = work(output);
    } catch (...) {
    }
    for (std::size_t at = 0; at < output.size();) {
        const auto written = write(out, output.data() + at, output.size() - at);
        if (written < 0 && errno != EINTR) _exit(childThrew);
        at += std::size_t(std::max<ssize_t>(written, 0));
    }
    _exit(code);
}

/// A pipe that closes its ends by itself.
class Pipe {
public:
    Pipe()
    {
        if (pipe2(ends_, O_CLOEXEC) != 0)
            throw Error("no pipe to a helper process could be made", "close other programs");
    }
    ~Pipe() { closeIn(), closeOut(); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    int in() const { return ends_[0]; }
    int out() const { return ends_[1]; }
    void closeIn() { shut(ends_[0]); }
    void closeOut() { shut(ends_[1]); }

private:
    static void shut(int& end)
    {
        if (end >= 0) close(end);
        end = -1;
    }
    int ends_[2] { -1, -1 };
};

/// Hands on what can be read now. False at the end.
bool pass(int in, const std::function<void(std::string_view)>& to)
{
    std::array<char, 65536> part {};
    const auto size = read(in, part.data(), part.size());
    if (size < 0 && errno == EINTR) return true;
    if (size <= 0) return false;
    to(std::string_view(part.data(), std::size_t(size)));
    return true;
}

/// Reads what the child writes until it is done; false if `goOn` said no first.
bool collect(const Pipe& output, const Pipe& log, std::string& into, const std::function<bool()>& goOn,
    const std::function<void(std::string_view)>& onLog)
{
    pollfd ready[] { { output.in(), POLLIN, 0 }, { log.in(), POLLIN, 0 } };
    for (;;) {
        if (!goOn()) return false;
        if (poll(ready, 2, 20) <= 0) continue; // nothing yet, or a signal
        if (ready[1].revents != 0 && !pass(log.in(), onLog)) ready[1].fd = -1; // ended: not asked again
        const bool writes = ready[0].revents != 0;
        if (writes && !pass(output.in(), [&](std::string_view part) { into += part; })) return true;
    }
}

} // namespace

ChildOutcome runInChild(const ChildLimits& limits, const std::function<int(std::string&)>& work,
    const std::function<bool()>& goOn, const std::function<void(std::string_view)>& onLog)
{
    Pipe output, log;
    if (!onLog) log.closeIn(), log.closeOut();
    const rlim_t bytes = limits.extraBytes > 0 ? addressSpace() + rlim_t(limits.extraBytes) : 0;
    const pid_t child = fork();
    if (child == 0) beChild(output.out(), log.out(), bytes, limits.cpuSeconds, work);
    output.closeOut();
    log.closeOut();
    if (child < 0) throw Error("no helper process could be started", "close other programs");
    ChildOutcome outcome;
    const bool done = collect(output, log, outcome.output, goOn, onLog);
    output.closeIn();
    if (!done) kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return outcome;
    if (!done)
        outcome.end = ChildOutcome::End::Abandoned;
    else if (WIFEXITED(status) && WEXITSTATUS(status) != childThrew)
        outcome.end = ChildOutcome::End::Returned;
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        outcome.end = ChildOutcome::End::OutOfTime;
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return outcome;
}

} // namespace pha
