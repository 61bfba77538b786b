// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace pha {

namespace {

constexpr auto noLimit = std::numeric_limits<std::int64_t>::max();

/// How a version of control groups names things.
struct GroupFiles {
    const char *place, *limit, *usage, *cache;
};
constexpr GroupFiles unifiedGroup { "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file" };
constexpr GroupFiles memoryGroup { "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
    "total_inactive_file" };

/// The number in a file; nothing if there is no such file, or "max" in it.
std::optional<std::int64_t> countIn(const std::filesystem::path& path)
{
    std::ifstream file(path);
    std::int64_t count = 0;
    return file >> count ? std::optional(count) : std::nullopt;
}

/// Of lines "NAME NUMBER".
std::int64_t countOf(const std::string& wanted, const std::filesystem::path& path)
{
    std::ifstream file(path);
    std::string name;
    for (std::int64_t count = 0; file >> name >> count;)
        if (name == wanted) return count;
    return 0;
}

/// What a group and those that it lies in leave. In a container its path may be that of the host, of which only the end
/// is mounted: what is not there is passed over.
std::int64_t leftBy(const GroupFiles& files, const std::filesystem::path& root, const std::string& group)
{
    std::int64_t least = noLimit;
    for (auto inner = std::filesystem::path(group).relative_path();; inner = inner.parent_path()) {
        const auto folder = root / files.place / inner;
        const auto limit = countIn(folder / files.limit), usage = countIn(folder / files.usage);
        // Pages of files that were read long ago are counted, but given up when memory is wanted.
        if (limit && usage)
            least = std::min(
                least, *limit - std::max<std::int64_t>(0, *usage - countOf(files.cache, folder / "memory.stat")));
        if (inner.empty()) return least;
    }
}

std::int64_t leftByGroups(const std::filesystem::path& root)
{
    std::int64_t least = noLimit;
    std::ifstream file(root / "proc/self/cgroup");
    for (std::string line; std::getline(file, line);) { // NUMBER:CONTROLLERS:PATH
        const auto first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const auto controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
        if (controllers.empty()) least = std::min(least, leftBy(unifiedGroup, root, group));
        if (("," + controllers + ",").find(",memory,") != std::string::npos)
            least = std::min(least, leftBy(memoryGroup, root, group));
    }
    return least;
}

std::int64_t leftByMachine(const std::filesystem::path& root)
{
    std::ifstream file(root / "proc/meminfo");
    for (std::string name, unit; file >> name;) {
        std::int64_t kilobytes = 0;
        file >> kilobytes >> unit;
        if (name == "MemAvailable:") return kilobytes * 1024;
    }
    return noLimit;
}

} // namespace

std::int64_t availableMemory(const std::filesystem::path& root)
{
    const auto left = std::min(leftByMachine(root), leftByGroups(root));
    return left == noLimit ? 0 : std::max<std::int64_t>(1, left);
}

} // namespace pha
