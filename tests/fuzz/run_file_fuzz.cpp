// SPDX-License-Identifier: GPL-3.0-or-later
// The text of a run.json. What is accepted must write and read again as the same run.
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/run/run_directory.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    try {
        const auto file = pha::RunFile::fromJson(
            pha::parseJsonStrict(std::string(reinterpret_cast<const char*>(data), size), "run.json"));
        const auto json = file.toJson();
        if (pha::RunFile::fromJson(json).toJson() != json) std::abort();
    } catch (const pha::Error&) {
    }
    return 0;
}
