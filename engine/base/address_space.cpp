// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/address_space.h"

#include "engine/base/error.h"

#include <sys/mman.h>
#include <sys/resource.h>

namespace pha {

namespace {

void requireAddresses(std::size_t bytes, const char* advice)
{
    rlimit limit {};
    if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
    void* const room = ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        throw Error("the limit of " + std::to_string(limit.rlim_cur >> 20)
                + " MiB on this process's addresses leaves no room for matrix products",
            advice);
    ::munmap(room, bytes);
}

constexpr std::size_t productBytes(int threads)
{
    constexpr std::size_t bufferBytes = std::size_t(128) << 20, others = std::size_t(64) << 20;
    return bufferBytes * std::size_t(threads) + others;
}

} // namespace

void requireProductBuffers(int threads)
{
    requireAddresses(productBytes(threads),
        "raise or remove it (ulimit -v), or take fewer --threads; it counts addresses, not memory");
}

void requireLibraryRoom()
{
    constexpr rlim_t stack = 256 << 10; // it crashes with 128 KiB and works with 160
    if (rlimit limit {}; ::getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < stack)
        throw Error(
            "the limit of " + std::to_string(limit.rlim_cur >> 10) + " KiB on this process's stack is too small",
            "raise or remove it (ulimit -s)");
    constexpr std::size_t libraries = std::size_t(704) << 20; // LibTorch 1.13.1 with what it is linked with
    requireAddresses(libraries + productBytes(1), "raise or remove it (ulimit -v); it counts addresses, not memory");
}

} // namespace pha
