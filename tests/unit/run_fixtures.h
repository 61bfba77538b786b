// SPDX-License-Identifier: GPL-3.0-or-later
// Small runs with small checkpoints.
#pragma once

#include "engine/base/atomic_file.h"
#include "engine/run/metrics.h"
#include "engine/run/run_directory.h"
#include "run_tools.h"

namespace pha::test {

inline RunFile exampleFile()
{
    RunFile file;
    file.name = "My run";
    file.created = "2026-01-31T12:00:00Z";
    file.environment["threads"] = 2;
    return file;
}

inline RunDirectory makeRun(const QTemporaryDir& folder, const char* name = "run")
{
    RunDirectory run(pathOf(folder) / name);
    run.create(exampleFile());
    return run;
}

/// A line of metrics.jsonl.
inline std::string lineOf(const Event& event) { return eventToJson(event).dump() + "\n"; }

/// What a save writes; `version` tells an old content from a new one.
inline void publish(const RunDirectory& run, std::int64_t step, const std::string& version = "one")
{
    publishCheckpoint(run, checkpointName(step), [&](const fs::path& to) {
        writeFileAtomically(to / "model.safetensors", std::string(2000, 'm') + version);
        writeRaw(to / "state.json", "{\"version\":\"" + version + "\"}");
    });
}
inline std::string versionOf(const fs::path& checkpoint)
{
    return readRaw(checkpoint / "model.safetensors").substr(2000);
}

} // namespace pha::test
