// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/active_clock.h"

#include "engine/base/hardware_meter.h"

#include <algorithm>

namespace pha {

double StoppedTime::look(double wall, double processor)
{
    constexpr double hardlyAny = 0.1; ///< share of a core: who lets a stopped process go on has some work with it
    const double gap = wall - wall_, used = processor - processor_;
    if (!first_ && gap >= shortest && used <= cores_ * interval + hardlyAny * gap) stopped_ += gap - interval;
    first_ = false;
    wall_ = wall;
    processor_ = processor;
    return stopped_;
}

ActiveClock::ActiveClock()
    : stopped_(std::max(1u, std::thread::hardware_concurrency()))
    , watcher_([this](const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (!stop.stop_requested()) {
            look();
            wake_.wait_for(lock, stop, std::chrono::duration<double>(StoppedTime::interval), [] { return false; });
        }
    })
{
}

ActiveClock::~ActiveClock() = default;

double ActiveClock::seconds()
{
    const std::lock_guard lock(mutex_);
    return look();
}

double ActiveClock::look()
{
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    return wall - stopped_.look(wall, processorSeconds());
}

} // namespace pha
