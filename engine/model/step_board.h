// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace pha::kernels {

/// Tasks of each multiprocessor. A level is what can be done at the same time: its tasks go to whoever has least of it,
/// and to whoever has least altogether among those, so that all read about the same share of the memory.
class Board {
public:
    Board(int count, bool alternates)
        : lists_(std::size_t(count))
        , level_(std::size_t(count))
        , all_(std::size_t(count))
        , used_(std::size_t(count))
        , before_(std::size_t(count))
        , alternates_(alternates)
    {
    }
    int size() const { return int(lists_.size()); }
    void nextLevel()
    {
        std::fill(level_.begin(), level_.end(), 0.0);
        if (std::count(used_.begin(), used_.end(), 0.0) == size()) return;
        before_.swap(used_);
        std::fill(used_.begin(), used_.end(), 0.0);
    }
    /// Those that had no work in the level before: they wait with everything ready while others still finish.
    int rested() const { return int(std::count(before_.begin(), before_.end(), 0.0)); }
    void give(std::size_t who, const StepTask& task, double bytes)
    {
        constexpr double perTask = 4096; // what a task costs beside its bytes, as bytes
        lists_[who].push_back(task);
        level_[who] += bytes + perTask;
        all_[who] += bytes + perTask;
        if (alternates_) used_[who] += bytes;
    }
    std::size_t idlest() const
    {
        std::size_t best = 0;
        for (std::size_t i = 1; i < lists_.size(); ++i)
            if (rank(i) < rank(best)) best = i;
        return best;
    }
    const std::vector<StepTask>& of(int who) const { return lists_[std::size_t(who)]; }
    bool has(std::size_t who, StepKind kind, int place) const
    {
        return std::any_of(lists_[who].rbegin(), lists_[who].rend(),
            [&](const StepTask& t) { return t.kind == kind && t.join.in == place; });
    }

private:
    std::tuple<double, double, double> rank(std::size_t i) const { return { level_[i], before_[i], all_[i] }; }

    std::vector<std::vector<StepTask>> lists_;
    std::vector<double> level_, all_, used_, before_; ///< used: bytes of this level; before: of the one before
    bool alternates_;
};

struct StepMatrix {
    const void *first, *second; ///< second: its rows alternate with the first's
};
/// Rows of (outer, inner), in one level; `source` and `out` of text 0.
struct StepRows {
    StepFinish finish;
    StepMatrix matrix;
    int inner, outer, source, out, outStride, gate = 0;
    const StepJoin* joined = nullptr;
    int parts = 1; ///< of the inputs
};
/// One text: a task costs more than its rows, so that few are better; it must leave the ring of slots some room.
inline int rowsATask(const std::vector<StepRows>& level, bool alone, const Board& board)
{
    constexpr int tileRows = 16;
    constexpr double perTask = 100; // what a task costs beside its rows, as rows
    constexpr double tired = 100; // if all come after another
    if (!alone) return tileRows;
    int best = tileRows;
    double least = std::numeric_limits<double>::infinity();
    for (int rows = tileRows; rows <= 8 * mostEights; rows += 8) {
        int tasks = 0, slots = 0;
        for (const auto& part : level) {
            tasks += (part.outer * (part.matrix.second ? 2 : 1) + rows - 1) / rows;
            slots = std::max(slots, (part.inner + stepSlotDepth - 1) / stepSlotDepth * ((rows + 7) / 8));
            if (part.inner > stepSlotDepth && rows > tileRows)
                slots = fewestSlots; // the kernel has two eights of those
        }
        const int rounds = (tasks + board.size() - 1) / board.size();
        const double late = std::max(0, tasks - board.rested()) * tired / board.size();
        const double cost = rounds * (perTask + rows) + late;
        if (cost < least && slots < fewestSlots) best = rows, least = cost;
    }
    return best;
}
/// Several texts: whoever has read inputs takes this many tasks over them, so that few read the same.
inline int tasksInTurn(const std::vector<StepRows>& level, int rows, int multiprocessors)
{
    int tasks = 0;
    for (const auto& all : level) {
        if (all.finish == StepFinish::Logits) return 1;
        tasks += all.parts * ((all.outer * (all.matrix.second ? 2 : 1) + rows - 1) / rows);
    }
    return (tasks + multiprocessors - 1) / multiprocessors;
}

} // namespace pha::kernels
