// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/text.h"
#include "engine/engine.h"

#include <fmt/format.h>

namespace pha::cli {

int printVersion()
{
    printLine("PHA Studio " PHA_VERSION);
    flushOutput(); // stands even if LibTorch cannot be opened
    const auto info = loadEngine().info();
    printLine("LibTorch   " + info.libtorch);
    printLine("BLAS       " + info.blas + (info.slowBlas ? " (reference BLAS: slow)" : ""));
    printLine(fmt::format(
        "CPU        {}, {} threads{}", info.cpuCapability, info.threads, info.bf16 ? ", bf16 instructions" : ""));
    for (const auto& device : info.devices)
        printLine(fmt::format(
            "Device     {}: {}, {}", device.name, device.description, formatBytes(double(device.memoryBytes))));
    if (!info.warning.empty()) note("pha: warning: " + oneLine(info.warning));
    return 0;
}

} // namespace pha::cli
