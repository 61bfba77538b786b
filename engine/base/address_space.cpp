// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/address_space.h"

#include "engine/base/error.h"

#include <sys/mman.h>
#include <sys/resource.h>

namespace pha {

void requireProductBuffers(int threads)
{
    constexpr std::size_t bufferBytes = std::size_t(128) << 20, others = std::size_t(64) << 20;
    rlimit limit {};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    const auto bytes = bufferBytes * std::size_t(threads) + others;
    void* const room = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        throw Error("the limit of " + std::to_string(limit.rlim_cur >> 20)
                + " MiB on this process's addresses leaves no room for matrix products",
            "raise or remove it (ulimit -v), or take fewer --threads; it counts addresses, not memory");
    ::munmap(room, bytes);
}

} // namespace pha
