// SPDX-License-Identifier: GPL-3.0-or-later
// What a training told, and what a test does at it.
#pragma once

#include "engine/events.h"

#include <functional>
#include <vector>

namespace pha::test {

struct Recorder final : EventSink {
    std::vector<Event> events;
    std::function<void(const Event&)> react;
    void publish(const Event& event) override
    {
        events.push_back(event);
        if (react) react(event);
    }
    template <class T> std::vector<T> all() const
    {
        std::vector<T> found;
        for (const auto& event : events)
            if (const auto* e = std::get_if<T>(&event)) found.push_back(*e);
        return found;
    }
};

} // namespace pha::test
