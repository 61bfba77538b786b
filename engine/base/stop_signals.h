// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <csignal>

namespace pha {

/// What tells a process to stop.
inline constexpr int stopSignals[] { SIGINT, SIGTERM, SIGHUP };

inline sigset_t stopSignalSet()
{
    sigset_t set;
    sigemptyset(&set);
    for (const int number : stopSignals) sigaddset(&set, number);
    return set;
}

/// For the thread that takes them: whoever started the process may have left them blocked.
inline void takeStopSignals()
{
    const auto set = stopSignalSet();
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

/// For threads that compute, and for those that they start: they take no stop signal, another thread of the process has
/// to. oneDNN's products for processors with AVX2 (2.6, of Debian 12) keep numbers below their stack, where the system
/// puts what a signal's handler needs: a handler that runs in the middle of one changes weights, or breaks the heap.
inline void leaveStopSignalsToOthers()
{
    const auto set = stopSignalSet();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

} // namespace pha
