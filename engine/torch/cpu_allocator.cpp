// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/torch/cpu_allocator.h"
#include "engine/torch/torch_version.h"

#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <sys/mman.h>
#include <vector>

namespace pha {

namespace {

/// Blocks from this size on are cached; smaller ones are glibc's own strength.
constexpr std::size_t smallest = 32 * 1024;
constexpr std::size_t largePage = 2 << 20;
constexpr std::size_t headerBytes = 64; // keeps the data aligned for any vector width

struct Header {
    std::size_t bytes; // capacity behind the header
    std::size_t requested;
};

std::atomic<std::int64_t> live { 0 }, peak { 0 };

struct Cache {
    std::mutex mutex;
    std::map<std::size_t, std::vector<void*>> blocks;
};
Cache& cache()
{
    static auto* instance = new Cache; // outlives every static tensor
    return *instance;
}

/// Eight classes per power of two: at most an eighth of a block is unused.
std::size_t sizeClass(std::size_t bytes)
{
    const std::size_t step = std::bit_floor(bytes) / 8;
    return (bytes + step - 1) / step * step;
}

void* fromSystem(std::size_t bytes)
{
    void* block = nullptr;
    const bool large = bytes >= largePage;
    if (posix_memalign(&block, large ? largePage : headerBytes, bytes + headerBytes) != 0) return nullptr;
    // Products walk over whole columns: with small pages each number is another page of which the processor must know.
    if (large) madvise(block, bytes + headerBytes, MADV_HUGEPAGE);
    return block;
}

void give(void* data)
{
    if (!data) return;
    auto* header = reinterpret_cast<Header*>(static_cast<char*>(data) - headerBytes);
    live -= std::int64_t(header->requested);
    if (header->bytes < smallest) {
        std::free(header);
        return;
    }
    const std::lock_guard lock(cache().mutex);
    cache().blocks[header->bytes].push_back(header);
}

class CachingAllocator final : public c10::Allocator {
public:
    c10::DataPtr make(std::size_t bytes) const
    {
        if (bytes == 0) return { nullptr, nullptr, &give, c10::Device(c10::kCPU) };
        const std::size_t capacity = bytes < smallest ? bytes : sizeClass(bytes);
        void* block = nullptr;
        if (capacity >= smallest) {
            const std::lock_guard lock(cache().mutex);
            auto found = cache().blocks.find(capacity);
            if (found != cache().blocks.end() && !found->second.empty()) {
                block = found->second.back();
                found->second.pop_back();
            }
        }
        if (!block) block = fromSystem(capacity);
        if (!block) { // the cache itself may hold what is missing
            releaseCpuCache();
            block = fromSystem(capacity);
        }
        TORCH_CHECK(block, "not enough memory: ", bytes, " bytes were asked for");
        new (block) Header { capacity, bytes };
        const auto now = live += std::int64_t(bytes);
        auto highest = peak.load();
        while (now > highest && !peak.compare_exchange_weak(highest, now)) { }
        void* data = static_cast<char*>(block) + headerBytes;
        return { data, data, &give, c10::Device(c10::kCPU) };
    }

#if PHA_TORCH_ALLOCATE_CONST
    c10::DataPtr allocate(std::size_t bytes) const override { return make(bytes); }
#else
    c10::DataPtr allocate(std::size_t bytes) override { return make(bytes); }
    void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }
#endif
    c10::DeleterFnPtr raw_deleter() const override { return &give; }
};

} // namespace

void installCpuAllocator()
{
    static CachingAllocator* allocator = [] {
        auto* made = new CachingAllocator; // tensors may outlive main
        c10::SetCPUAllocator(made, 1);
        return made;
    }();
    (void)allocator;
}

std::int64_t cpuLiveBytes() { return live; }
std::int64_t cpuPeakBytes() { return peak; }
void resetCpuPeakBytes() { peak = live.load(); }

void releaseCpuCache()
{
    const std::lock_guard lock(cache().mutex);
    for (auto& [bytes, blocks] : cache().blocks)
        for (void* block : blocks) std::free(block);
    cache().blocks.clear();
}

} // namespace pha
