// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace pha::ui {

/// For the start of a thread that computes: nice +10, so that the window stays fluid beside it, and no signals that
/// stop the process (stop_signals.h). Threads that it starts inherit both.
void beWorker();

/// One such thread, which works off tasks in order. Tasks must not throw: see failureOf().
class WorkerThread {
public:
    WorkerThread();
    ~WorkerThread(); ///< finishes the tasks that are queued, unless `end()` gave up before
    WorkerThread(const WorkerThread&) = delete;
    WorkerThread& operator=(const WorkerThread&) = delete;

    void post(std::function<void()> task);
    /// Lets the queued tasks finish and ends the thread. False: it still works after `patience`; it is left to itself
    /// then, and the process should leave without running destructors of globals. Later calls say the same at once.
    bool end(std::chrono::milliseconds patience);
    bool down() const { return !thread_.joinable(); } ///< after end(): it takes up nothing any more

private:
    struct State;
    std::shared_ptr<State> state_; ///< shared with the thread: it may outlive this object
    std::thread thread_;
    bool cleanEnd_ = true;
};

/// Does the work of a task and says in one line what went wrong, whatever was thrown; empty: nothing.
QString failureOf(const std::function<void()>& work, const QString& noMemory = {});

} // namespace pha::ui
