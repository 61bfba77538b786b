// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/work/worker_thread.h"

#include "engine/base/stop_signals.h"
#include "ui/format.h"

#include <QCoreApplication>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>

#ifdef __linux__
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace pha::ui {

void beWorker()
{
    leaveStopSignalsToOthers();
#ifdef __linux__
    // On Linux a nice value belongs to a thread when it is set by thread id.
    setpriority(PRIO_PROCESS, id_t(gettid()), 10);
#endif
}

struct WorkerThread::State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> tasks;
    bool ending = false, ended = false;

    void work()
    {
        beWorker();
        std::unique_lock lock(mutex);
        while (true) {
            changed.wait(lock, [this] { return ending || !tasks.empty(); });
            if (tasks.empty()) break;
            auto task = std::move(tasks.front());
            tasks.pop_front();
            lock.unlock();
            task();
            task = {}; // what it holds is released on this thread, and before the lock is taken again
            lock.lock();
        }
        ended = true;
        changed.notify_all();
    }
};

WorkerThread::WorkerThread()
    : state_(std::make_shared<State>())
    , thread_([state = state_] { state->work(); })
{
}

WorkerThread::~WorkerThread()
{
    if (down()) return;
    {
        const std::lock_guard lock(state_->mutex);
        state_->ending = true;
        state_->changed.notify_all();
    }
    thread_.join();
}

void WorkerThread::post(std::function<void()> task)
{
    const std::lock_guard lock(state_->mutex);
    state_->tasks.push_back(std::move(task));
    state_->changed.notify_all();
}

bool WorkerThread::end(std::chrono::milliseconds patience)
{
    if (down()) return cleanEnd_;
    std::unique_lock lock(state_->mutex);
    state_->ending = true;
    state_->changed.notify_all();
    cleanEnd_ = state_->changed.wait_for(lock, patience, [this] { return state_->ended; });
    lock.unlock();
    if (cleanEnd_) {
        thread_.join();
    } else {
        thread_.detach();
    }
    return cleanEnd_;
}

QString failureOf(const std::function<void()>& work, const QString& noMemory)
{
    constexpr const char* context = "pha::ui::WorkerThread";
    QString failure;
    try {
        work();
        return {};
    } catch (const std::bad_alloc&) {
        failure = noMemory.isEmpty()
            ? QCoreApplication::translate(context, "there is not enough memory; close other programs")
            : noMemory;
    } catch (const std::exception& error) {
        failure = errorLine(error);
    } catch (...) { // says nothing
    }
    return failure.isEmpty()
        ? QCoreApplication::translate(context, "it failed without saying why; try again or restart the program")
        : failure;
}

} // namespace pha::ui
