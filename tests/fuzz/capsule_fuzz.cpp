// SPDX-License-Identifier: GPL-3.0-or-later
// A capsule of a run. What is refused leaves nothing; what is accepted is a run.
#include "engine/base/error.h"
#include "engine/run/capsule.h"
#include "engine/run/run_directory.h"
#include "fuzz_file.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

class Nobody : public pha::EventSink {
public:
    void publish(const pha::Event&) override { }
};

/// The sums of all headers made right: they keep out what is torn, not what is meant badly.
std::string withRightSums(std::string bytes)
{
    for (std::size_t at = 0; at + 512 <= bytes.size(); at += 512) {
        if (bytes.compare(at + 257, 5, "ustar") != 0) continue;
        unsigned sum = 8 * ' ';
        for (std::size_t i = 0; i < 512; ++i)
            if (i < 148 || i >= 156) sum += static_cast<unsigned char>(bytes[at + i]);
        char text[8];
        std::snprintf(text, sizeof text, "%06o", sum & 0777777);
        bytes.replace(at + 148, 7, text, 7);
        bytes[at + 155] = ' ';
    }
    return bytes;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const pha::FuzzFile file("capsule.pha", withRightSums({ reinterpret_cast<const char*>(data), size }));
    const auto runs = file.path().parent_path() / "runs";
    Nobody nobody;
    try {
        const auto run = pha::importCapsule(file.path(), runs, nobody, {});
        if (run.parent_path() != runs || !pha::RunDirectory(run).exists()) std::abort();
        pha::removeTree(run);
    } catch (const pha::Error&) {
    }
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(runs, none))
        if (!entry.path().empty()) std::abort();
    return 0;
}
