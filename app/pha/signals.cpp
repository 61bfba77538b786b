// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/stop_signals.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

namespace pha::cli {

namespace {

// The handler may only touch these. request_stop() runs callbacks and takes locks, so it belongs to the watcher thread.
std::atomic<int> signalReceived { 0 };
std::atomic<int> wakeUp { -1 };
static_assert(std::atomic<int>::is_always_lock_free);

constexpr int grace = 1000; ///< milliseconds that work without results on the disk has to end by itself

void handle(int number)
{
    const int before = errno;
    if (signalReceived.exchange(number) != 0) _exit(128 + number);
    const char byte = 's';
    if (const int fd = wakeUp; fd >= 0 && write(fd, &byte, 1) < 0) _exit(128 + number);
    errno = before;
}

} // namespace

StopOnSignal::StopOnSignal(std::string leaveWith)
    : leaveWith_(std::move(leaveWith))
{
    if (pipe2(pipe_, O_CLOEXEC) != 0) throw IoError("pipe", std::strerror(errno));
    wakeUp = pipe_[1];
    watcher_ = std::thread([this] { watch(); });
    struct sigaction action { };
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (const int number : stopSignals) {
        struct sigaction old { };
        // nohup means it. SIGINT and SIGTERM always stop: shells start background jobs with SIGINT ignored.
        if (number == SIGHUP && sigaction(number, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) continue;
        sigaction(number, &action, nullptr);
    }
}

void StopOnSignal::watch()
{
    char byte = 0;
    ssize_t got = 0;
    do got = read(pipe_[0], &byte, 1);
    while (got < 0 && errno == EINTR);
    if (byte != 's') return;
    source_.request_stop();
    if (leaveWith_.empty()) return;
    pollfd ended { pipe_[0], POLLIN, 0 };
    int ready = 0;
    do ready = poll(&ended, 1, grace);
    while (ready < 0 && errno == EINTR);
    if (ready > 0) return; // the work has ended in order
    note("pha: stopped; " + leaveWith_);
    _exit(128 + signalReceived);
}

StopOnSignal::~StopOnSignal()
{
    wakeUp = -1; // the handlers stay: after its work a process that is told to stop is about to end anyway
    const char byte = 'q';
    while (write(pipe_[1], &byte, 1) < 0 && errno == EINTR) { }
    watcher_.join();
    close(pipe_[1]);
    close(pipe_[0]);
}

int StopOnSignal::received() { return signalReceived; }

void StopOnSignal::awayFromComputing()
{
    try {
        std::thread([] {
            takeStopSignals();
            while (true) pause();
        }).detach();
        leaveStopSignalsToOthers();
    } catch (const std::system_error&) {
        // No thread is to be had: better at a bad moment than never.
    }
}

void StopOnSignal::ignoreBrokenPipes()
{
    struct sigaction action { };
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, nullptr);
    sigaction(SIGXFSZ, &action, nullptr); // a file size limit is a full disk, not a crash
}

} // namespace pha::cli
