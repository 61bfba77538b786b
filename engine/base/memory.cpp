// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/memory.h"

#include <fstream>
#include <string>

namespace pha {

std::int64_t availableMemory()
{
    std::ifstream file("/proc/meminfo");
    for (std::string name, unit; file >> name;) {
        std::int64_t kilobytes = 0;
        file >> kilobytes >> unit;
        if (name == "MemAvailable:") return kilobytes * 1024;
    }
    return 0;
}

} // namespace pha
