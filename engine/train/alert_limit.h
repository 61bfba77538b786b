// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"

#include <cstdint>

namespace pha {

/// Which alerts of a run are examined: a course that jumps all the time must fill neither its disk nor its time.
class AlertLimit {
public:
    static constexpr std::int64_t spacing = 50; ///< updates from one examined alert to the next

    /// Whether the alert at `step` is one of at most `most`; counts it if so.
    bool take(std::int64_t step, std::int64_t most)
    {
        if (taken_ >= most || (taken_ > 0 && step - last_ < spacing)) return false;
        ++taken_;
        last_ = step;
        return true;
    }
    std::int64_t taken() const { return taken_; }

    Json state() const { return { { "taken", taken_ }, { "last", last_ } }; }
    /// An older checkpoint has no such state: nothing was examined yet.
    void restore(const Json& state)
    {
        if (!state.is_object() || state.empty()) return;
        taken_ = state.at("taken").get<std::int64_t>();
        last_ = state.at("last").get<std::int64_t>();
    }

private:
    std::int64_t taken_ = 0, last_ = 0;
};

} // namespace pha
