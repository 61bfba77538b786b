// SPDX-License-Identifier: GPL-3.0-or-later
// A capsule of a run. What is refused leaves nothing; what is accepted is a run.
#include "engine/base/error.h"
#include "engine/run/capsule.h"
#include "engine/run/run_directory.h"
#include "fuzz_file.h"

#include <cstdint>
#include <cstdlib>

namespace {

class Nobody : public pha::EventSink {
public:
    void publish(const pha::Event&) override { }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const pha::FuzzFile file("capsule.pha", { reinterpret_cast<const char*>(data), size });
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
