// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cpu/kernels.h"
#include "engine/model/cuda/step.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <variant>
#include <vector>

/// What a step on processors (processor_step.h) is made of.
namespace pha::cpu {

inline constexpr std::size_t cacheLine = 64;

inline std::int64_t quotientUp(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// How far a level is. Threads wait for its tasks, not for each other: one that is not running at the moment holds
/// nobody up unless it has a task.
class Progress {
public:
    void begin() { next_ = done_ = 0; }
    std::int64_t take() { return next_.fetch_add(1, std::memory_order_relaxed); }
    void finish() { done_.fetch_add(1, std::memory_order_acq_rel); }
    void await(std::int64_t tasks) const
    {
        constexpr int patience = 4000; // a look takes some nanoseconds, waking up some microseconds
        for (int looks = 0; done_.load(std::memory_order_acquire) < tasks; ++looks) {
            if (looks > patience) std::this_thread::yield();
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
        }
    }

private:
    alignas(cacheLine) std::atomic<std::int64_t> next_ = 0;
    alignas(cacheLine) std::atomic<std::int64_t> done_ = 0;
};

/// Work that anybody may take a piece of, and where its numbers go.
struct ProductWork {
    StepRows rows;
    std::int64_t each; ///< rows of a task
    const float* x;
    float* y; ///< null: the logits
};
struct AttendWork {
    StepAttention all;
    std::int64_t texts;
};
struct JoinWork {
    StepAttention all;
    std::int64_t texts;
};
struct ScanWork {
    StepScan all;
    std::int64_t texts;
};
struct NormWork {
    StepNorm all;
    const kernels::StepStage* stage; ///< whose parts are added; null: none
};
using Work = std::variant<NormWork, ProductWork, AttendWork, JoinWork, ScanWork>;
using Level = std::vector<Work>; ///< what can be done at the same time

struct Step {
    std::int64_t position;
    float* logits;
    float* scratch; ///< of a thread
};

inline std::int64_t tasksOf(const NormWork& p, std::int64_t) { return stepNormTasks(p.all); }
inline std::int64_t tasksOf(const ProductWork& p, std::int64_t) { return quotientUp(p.rows.outer, p.each); }
inline std::int64_t tasksOf(const AttendWork& p, std::int64_t position)
{
    return p.texts * p.all.kvHeads * stepPieces(stepKeys(p.all, position));
}
inline std::int64_t tasksOf(const JoinWork& p, std::int64_t position)
{
    return stepPieces(stepKeys(p.all, position)) > 1 ? p.texts * p.all.kvHeads * p.all.group : 0;
}
inline std::int64_t tasksOf(const ScanWork& p, std::int64_t) { return p.texts * stepScanTasks(p.all); }
inline std::int64_t tasks(const Work& work, std::int64_t position)
{
    return std::visit([&](const auto& p) { return tasksOf(p, position); }, work);
}

inline void run(const NormWork& p, const Step&, std::int64_t task) { kernels().stepNorm(p.all, task); }
inline void run(const ProductWork& p, const Step& s, std::int64_t task)
{
    const auto from = task * p.each, to = std::min(p.rows.outer, from + p.each);
    kernels().stepRows(p.rows, p.x, p.y ? p.y : s.logits, from, to, s.scratch);
}
inline void run(const AttendWork& p, const Step& s, std::int64_t task)
{
    kernels().stepAttention(p.all, s.position, task, s.scratch);
}
inline void run(const JoinWork& p, const Step& s, std::int64_t task)
{
    kernels().stepJoin(p.all, stepPieces(stepKeys(p.all, s.position)), task);
}
inline void run(const ScanWork& p, const Step&, std::int64_t task) { kernels().stepScan(p.all, task); }

} // namespace pha::cpu
