// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/connection.h"

#include <atomic>
#include <thread>
#include <vector>

namespace pha {

/// Ends the process if a computer is gone in the middle of an update: a card that waits for another one's numbers waits
/// for ever, and cannot be told.
class LifeLine {
public:
    /// The lines outlive it. Patience: whoever notices by itself ends in order.
    explicit LifeLine(
        std::vector<const Connection*> lines, std::chrono::milliseconds patience = std::chrono::seconds(10));
    void busy(bool yes) { busy_ = yes; } ///< an update is under way

private:
    void watch(const std::stop_token& stop) const;

    const std::vector<const Connection*> lines_;
    const std::chrono::milliseconds patience_;
    std::atomic<bool> busy_ { false };
    std::jthread watcher_;
};

} // namespace pha
