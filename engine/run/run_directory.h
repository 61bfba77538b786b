// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/config/config.h"
#include "engine/events.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace pha {
namespace fs = std::filesystem;

/// `run.json` of a run directory.
struct RunFile {
    std::string name;
    std::string created; ///< ISO 8601, UTC
    RunConfig config;
    Json environment = Json::object(); ///< program and LibTorch version, device, threads, argv, parent
    Json toJson() const;
    static RunFile fromJson(const Json& json);
};

/// Paths and small files of one run. Does not hold the lock; see RunLock.
class RunDirectory {
public:
    explicit RunDirectory(fs::path root)
        : root_(std::move(root))
    {
    }
    const fs::path& root() const { return root_; }
    fs::path runFile() const { return root_ / "run.json"; }
    fs::path metricsFile() const { return root_ / "metrics.jsonl"; }
    fs::path tokenizerFile() const { return root_ / "tokenizer.model"; }
    fs::path checkpoints() const { return root_ / "checkpoints"; }

    bool exists() const; ///< has a run.json
    /// Creates the folders and run.json. Throws CheckpointError if a run is already there.
    void create(const RunFile& file) const;
    RunFile read() const; ///< throws CheckpointError / ConfigError
    void write(const RunFile& file) const; ///< atomically

    /// Complete checkpoints, oldest first ("step-00001000").
    std::vector<std::string> list() const;
    std::optional<std::string> pointer(const std::string& name) const; ///< "latest" or "best"; empty if absent or dangling
    void setPointer(const std::string& name, const std::string& folder) const;

private:
    fs::path root_;
};

/// Default place of runs: $XDG_DATA_HOME/pha-studio/runs.
fs::path defaultRunsFolder();
/// A folder name that does not exist yet in `parent`: "pha-tiny-stories", "pha-tiny-stories-2", ...
fs::path freshRunDirectory(const fs::path& parent, const std::string& name);
/// The checkpoint folder that a path given by a user means: itself, or a run's best, else its latest.
/// Throws CheckpointError that says what the path is instead.
fs::path resolveCheckpoint(const fs::path& runOrCheckpoint);
/// The run directory that a checkpoint folder lies in.
fs::path runOfCheckpoint(const fs::path& checkpoint);

/// Exclusive ownership of a run directory for as long as the object lives (flock on RUN/.lock; the kernel frees it when the
/// process dies, so a crash never leaves a stale lock). Throws CheckpointError naming the process that holds it.
class RunLock {
public:
    explicit RunLock(const fs::path& run);
    ~RunLock();
    RunLock(const RunLock&) = delete;
    RunLock& operator=(const RunLock&) = delete;
    /// Process id of the holder, 0 if the run is free.
    static int holder(const fs::path& run);

private:
    int fd_ = -1;
};

/// Publishes a checkpoint whole or not at all: `write` fills a hidden sibling folder, every file in it is synced, a
/// manifest with sizes and SHA-256 comes last, and one rename makes it visible. Throws IoError and leaves nothing behind.
void publishCheckpoint(const RunDirectory& run, const std::string& folder, const std::function<void(const fs::path&)>& write);
/// True if the folder has a manifest and every file has its size (and hash, if `hash`).
bool checkpointComplete(const fs::path& folder, bool hash);
/// Removes leftovers of interrupted saves and old checkpoints beyond `keep`, never `best`, never `latest`.
void pruneCheckpoints(const RunDirectory& run, std::int64_t keep);
std::string checkpointName(std::int64_t step); ///< "step-00001000"

} // namespace pha
