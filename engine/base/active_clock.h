// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace pha {

/// Finds the time in which a process was stopped in what somebody who looks at the clocks twice a second sees: a gap of
/// seconds, with no more processor time than can have been used before it.
class StoppedTime {
public:
    static constexpr double interval = 0.5; ///< seconds between two looks of a process that works
    static constexpr double shortest = 2; ///< seconds: a shorter gap may be that of a busy machine

    explicit StoppedTime(double cores)
        : cores_(cores)
    {
    }
    /// A look at both clocks, in seconds. Returns how long the process had been stopped by then.
    double look(double wall, double processor);

private:
    double cores_, wall_ = 0, processor_ = 0, stopped_ = 0;
    bool first_ = true;
};

/// Seconds in which this process was there to work: not those in which it was stopped (Ctrl+Z, SIGSTOP, a debugger, a
/// frozen container). Those of a machine that sleeps no clock of this kind counts. Any thread.
class ActiveClock {
public:
    ActiveClock();
    ~ActiveClock();
    ActiveClock(const ActiveClock&) = delete;
    ActiveClock& operator=(const ActiveClock&) = delete;

    double seconds(); ///< since some moment

private:
    double look(); ///< with the lock held

    std::mutex mutex_;
    std::condition_variable_any wake_;
    StoppedTime stopped_;
    std::jthread watcher_; ///< last: it uses the others
};

} // namespace pha
