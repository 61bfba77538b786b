// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step.h"

#include <algorithm>

namespace pha::kernels {

/// Tasks of each multiprocessor. A level is what can be done at the same time: its tasks go to whoever has least of it,
/// and to whoever has least altogether among those, so that all read about the same share of the memory.
class Board {
public:
    explicit Board(int count)
        : lists_(std::size_t(count))
        , level_(std::size_t(count))
        , all_(std::size_t(count))
    {
    }
    int size() const { return int(lists_.size()); }
    void nextLevel() { std::fill(level_.begin(), level_.end(), 0.0); }
    void give(std::size_t who, const StepTask& task, double bytes)
    {
        constexpr double perTask = 4096; // what a task costs beside its bytes, as bytes
        lists_[who].push_back(task);
        level_[who] += bytes + perTask;
        all_[who] += bytes + perTask;
    }
    std::size_t idlest() const
    {
        std::size_t best = 0;
        for (std::size_t i = 1; i < lists_.size(); ++i)
            if (level_[i] < level_[best] || (level_[i] == level_[best] && all_[i] < all_[best])) best = i;
        return best;
    }
    const std::vector<StepTask>& of(int who) const { return lists_[std::size_t(who)]; }
    bool has(std::size_t who, StepKind kind, int place) const
    {
        return std::any_of(lists_[who].rbegin(), lists_[who].rend(),
            [&](const StepTask& t) { return t.kind == kind && t.join.in == place; });
    }

private:
    std::vector<std::vector<StepTask>> lists_;
    std::vector<double> level_, all_;
};

} // namespace pha::kernels
