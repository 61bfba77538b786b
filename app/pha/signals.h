// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stop_token>
#include <string>
#include <thread>

namespace pha::cli {

/// Turns SIGINT, SIGTERM and SIGHUP into a stop request. The first one asks the work to end in order; a second one
/// leaves the process at once. Lives as long as the work that it stops; one at a time.
class StopOnSignal {
public:
    /// With an advice, for work that leaves nothing behind: what is still under way a second after the signal is not
    /// waited for. The process says that it was stopped, gives the advice and leaves.
    explicit StopOnSignal(std::string leaveWith = {});
    ~StopOnSignal();
    StopOnSignal(const StopOnSignal&) = delete;
    StopOnSignal& operator=(const StopOnSignal&) = delete;

    std::stop_token token() const { return source_.get_token(); }
    void requestStop() { source_.request_stop(); }

    /// The signal that arrived, 0 if none did. Stays after the object is gone.
    static int received();
    /// For the start of main: stop signals, handled or not, find a thread that does nothing else. Every thread that is
    /// started later passes them on to it.
    static void awayFromComputing();
    /// A reader that goes away must not end a training run: a write then fails instead.
    static void ignoreBrokenPipes();

private:
    void watch();

    std::string leaveWith_;
    std::stop_source source_;
    int pipe_[2] = { -1, -1 };
    std::thread watcher_;
};

} // namespace pha::cli
