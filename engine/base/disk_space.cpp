// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/disk_space.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <limits>

namespace pha {

namespace fs = std::filesystem;

std::uint64_t freeBytes(const fs::path& path)
{
    std::error_code problem;
    auto there = fs::absolute(path, problem);
    while (!problem && !fs::exists(there, problem) && there.has_relative_path()) there = there.parent_path();
    const auto space = fs::space(there, problem);
    return problem ? std::numeric_limits<std::uint64_t>::max() : std::uint64_t(space.available);
}

void requireFree(const fs::path& path, const std::string& what, double bytes)
{
    const auto available = freeBytes(path);
    if (double(available) >= bytes) return;
    throw IoError(path.string(),
        what + " needs about " + formatBytes(bytes) + ", and " + formatBytes(double(available))
            + " are free on its disk");
}

} // namespace pha
