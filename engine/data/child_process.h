// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace pha {

/// False under two sanitizers: that of threads forbids threads in a forked child, and the allocator of that of
/// addresses stays locked in a child if another thread was using it.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define PHA_FORKS_ALONE
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define PHA_FORKS_ALONE
#endif
#endif
#ifdef PHA_FORKS_ALONE
inline constexpr bool canForkWithThreads = false;
#else
inline constexpr bool canForkWithThreads = true;
#endif

struct ChildLimits {
    std::int64_t extraBytes = 0; ///< address space beyond what this process has now; 0: no limit
    int cpuSeconds = 0; ///< of work, however long a busy machine takes for them; 0: no limit
};
struct ChildOutcome {
    enum class End { Returned, Crashed, OutOfTime, Abandoned };
    End end = End::Crashed;
    int code = 0; ///< what `work` returned
    std::string output; ///< what it wrote
};

/// Runs `work` in a forked copy of this process, which can crash or be stopped at any moment without harm to this one.
/// `work` gets a string to fill and returns 0 to 100; it must use no lock that another thread may hold (malloc is fine,
/// logs and streams are not). `goOn` is asked every few milliseconds; false kills the child. `onLog` gets what the
/// child says on standard error; without it that is lost. Throws Error if there is no child.
ChildOutcome runInChild(const ChildLimits& limits, const std::function<int(std::string& output)>& work,
    const std::function<bool()>& goOn, const std::function<void(std::string_view)>& onLog = {});

} // namespace pha
