// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace pha {

/// A caching allocator for CPU tensors. glibc hands large blocks back to the kernel on every free, so each new
/// activation costs page faults: an elementwise product runs at a quarter of the memory bandwidth. This one keeps freed
/// blocks by size and counts live bytes exactly, which is also what the memory charts and `pha bench` show. Installed
/// once, before the first tensor; thread-safe.
void installCpuAllocator();

std::int64_t cpuLiveBytes(); ///< bytes in live CPU tensors
std::int64_t cpuPeakBytes(); ///< largest value since the last reset
void resetCpuPeakBytes();
void releaseCpuCache(); ///< gives unused blocks back to the system; call when a job has ended

} // namespace pha
