// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace pha {

/// Threads that turn `In` into `Out`; results come back in the order in which work went in. One thread submits and
/// takes. The destructor drops what has not been begun.
template <class In, class Out> class OrderedPool {
public:
    /// `work` is called with the number of the thread (from 0), on several threads at once.
    OrderedPool(int threads, std::function<Out(int, In)> work)
        : work_(std::move(work))
    {
        for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i] { loop(i); });
    }
    ~OrderedPool()
    {
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
            waiting_.clear();
        }
        wake_.notify_all();
        for (auto& thread : threads_) thread.join();
    }
    OrderedPool(const OrderedPool&) = delete;
    OrderedPool& operator=(const OrderedPool&) = delete;

    void submit(In input)
    {
        std::packaged_task<Out(int)> task([this, held = std::make_shared<In>(std::move(input))](
                                              int thread) { return work_(thread, std::move(*held)); });
        results_.push_back(task.get_future());
        {
            const std::lock_guard lock(mutex_);
            waiting_.push_back(std::move(task));
        }
        wake_.notify_one();
    }
    std::size_t size() const { return results_.size(); } ///< submitted and not taken yet
    Out take() ///< waits for the oldest; throws what its work threw
    {
        auto result = std::move(results_.front());
        results_.pop_front();
        return result.get();
    }

private:
    void loop(int thread)
    {
        for (;;) {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
            if (ended_) return;
            auto task = std::move(waiting_.front());
            waiting_.pop_front();
            lock.unlock();
            task(thread);
        }
    }

    std::function<Out(int, In)> work_;
    std::deque<std::future<Out>> results_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool ended_ = false;
    std::deque<std::packaged_task<Out(int)>> waiting_;
    std::vector<std::thread> threads_;
};

} // namespace pha
