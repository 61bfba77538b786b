// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/life_line.h"

#include "engine/base/error.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace pha {

LifeLine::LifeLine(std::vector<const Connection*> lines, std::chrono::milliseconds patience)
    : lines_(std::move(lines))
    , patience_(patience)
    , watcher_([this](const std::stop_token& stop) { watch(stop); })
{
}

void LifeLine::watch(const std::stop_token& stop) const
{
    constexpr std::chrono::milliseconds pause(100);
    std::chrono::milliseconds since(0);
    for (; !stop.stop_requested(); std::this_thread::sleep_for(pause)) {
        const auto lost = std::find_if(lines_.begin(), lines_.end(), [](const auto* line) { return line->lost(); });
        since = lost != lines_.end() && busy_ ? since + pause : std::chrono::milliseconds(0);
        if (since < patience_) continue;
        std::fprintf(stderr,
            "pha: error: the connection to %s was lost in the middle of an update; go on from the last checkpoint "
            "with: pha train --resume RUN\n",
            (*lost)->peer().c_str());
        _exit(int(ExitCode::Failed));
    }
}

} // namespace pha
