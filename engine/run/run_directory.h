// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/posix_file.h"
#include "engine/config/config.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pha {
namespace fs = std::filesystem;

/// A run that is only looked at may hold settings of another program; one that is worked on must mean what it says.
enum class RunUse { Work, View };

/// `run.json` of a run directory.
struct RunFile {
    std::string name;
    std::string created; ///< ISO 8601, UTC
    RunConfig config;
    Json environment = Json::object(); ///< program and LibTorch version, device, threads, argv, parent
    Json others = Json::object(); ///< what this program does not know, in its place: stays as it is
    /// {"schema":1,"name","created","model","data","training","environment"}; the preset's name goes into the
    /// environment.
    Json toJson() const;
    /// Throws ConfigError: wrong types, a newer schema, and for `Work` unknown keys.
    static RunFile fromJson(const Json& json, RunUse use = RunUse::Work);
    std::string unknown() const; ///< names of `others`: "colour, training.mood"
};
std::string timestampUtc(); ///< "2026-01-31T12:00:00Z"

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
    fs::path averages() const { return root_ / "averages"; }
    fs::path averagedWeights(std::int64_t step) const; ///< of one step, for averages to come

    bool exists() const; ///< has a run.json
    void require() const; ///< Throws CheckpointError if it has none, or may not be read.
    /// Whether a new run could be written here, before anything slow. Throws CheckpointError if a run is here already
    /// or no folder can be made, IoError if nothing may be written.
    void requireFresh() const;
    /// Creates the folders and run.json. Throws CheckpointError if a run is already there.
    /// Of several processes that try at once, exactly one succeeds. An empty `created` becomes the present time.
    void create(const RunFile& file) const;
    bool tryCreate(const RunFile& file) const; ///< the same, but false if a run is already there
    RunFile read(RunUse use = RunUse::Work) const; ///< throws CheckpointError
    /// Atomically. Throws CheckpointError, as create() does, if it would be larger than what read() takes.
    void write(const RunFile& file) const;

    /// Complete checkpoints, oldest first ("step-00001000").
    std::vector<std::string> list() const;
    /// The newest checkpoint that is not complete, and why: "step-00001000: model.safetensors is missing". Saves are
    /// whole or absent, so something else has touched it. Empty if there is none.
    std::string damagedCheckpoint() const;
    std::optional<std::string> pointer(
        const std::string& name) const; ///< "latest", "best", "before_alert"; empty if absent or dangling
    void setPointer(const std::string& name, const std::string& folder) const;

private:
    fs::path root_;
};

/// Throws Error for a relative path where there is no current folder: it was removed, or may not be read.
fs::path absolutePath(const fs::path& path);
/// The same, without "." and ".." and a slash at the end: "runs/a/" and "./runs/a" are one folder. `path` is not empty.
fs::path wholePath(const fs::path& path);
/// Default place of runs: $XDG_DATA_HOME/pha-studio/runs.
fs::path defaultRunsFolder();
/// A folder name that does not exist yet in `parent`: "pha-tiny-stories", "pha-tiny-stories-2", ...
fs::path freshRunDirectory(const fs::path& parent, const std::string& name);
/// The checkpoint folder that a path given by a user means: itself, or a run's best, else its latest.
/// Throws CheckpointError that says what the path is instead.
fs::path resolveCheckpoint(const fs::path& runOrCheckpoint);
/// What resolveCheckpoint() is asked about a path that may also be a checkpoint's model.safetensors itself.
fs::path checkpointGiven(const fs::path& runOrCheckpoint);
/// Throws CheckpointError if a file of a checkpoint is damaged; those of up to 256 MB are hashed before they are
/// believed, of larger ones the size has to do.
void requireIntact(const fs::path& checkpoint);
/// Which folder a path names now: another one once a save has taken its name.
using FolderIdentity = std::pair<std::uint64_t, std::uint64_t>; ///< device and inode; zeros: none
FolderIdentity folderIdentity(const fs::path& folder) noexcept;
/// Whether the checkpoint that a path meant was removed or saved again since `before` was asked for, and the path means
/// another one now: a run in training has a better one.
bool checkpointReplaced(const fs::path& runOrCheckpoint, const fs::path& was, const FolderIdentity& before);
/// What `read` makes of the intact checkpoint that a path means; once more, of the run's new one, if that was replaced
/// while it was read. Throws CheckpointError, and what `read` throws.
template <class Read> auto readCheckpoint(const fs::path& runOrCheckpoint, const Read& read)
{
    const auto given = checkpointGiven(runOrCheckpoint);
    for (int tries = 20;; --tries) {
        const auto folder = resolveCheckpoint(given);
        const auto before = folderIdentity(folder);
        try {
            requireIntact(folder);
            return read(folder);
        } catch (const Error&) {
            if (tries == 1 || !checkpointReplaced(given, folder, before)) throw;
        }
    }
}
/// Its folder, for whoever reads it at once.
fs::path intactCheckpoint(const fs::path& runOrCheckpoint);
/// Whether a file is the weights of a checkpoint, and not only a file that somebody put there.
bool isCheckpointsWeights(const fs::path& file);
/// True for a safetensors file by itself; the weights of a checkpoint stand for the checkpoint.
bool isModelFile(const fs::path& path);
/// Throws what readCheckpoint() would of a path that means no checkpoint and is no model file either: known before
/// LibTorch is there to read one.
void requireModel(const fs::path& path);
/// The run directory that a checkpoint folder lies in.
fs::path runOfCheckpoint(const fs::path& checkpoint);
/// The run that a path given by a user means: itself, or the one that this checkpoint lies in. Throws CheckpointError.
fs::path runNamed(const fs::path& runOrCheckpoint);

/// Exclusive ownership of a run directory for as long as the object lives (flock on RUN/.lock; the kernel frees it when
/// the process dies, so a crash never leaves a stale lock). Throws CheckpointError naming the process that holds it.
/// Taking the lock also removes what an interrupted save left behind. A child made by fork() without exec holds the
/// lock as well.
class RunLock {
public:
    explicit RunLock(const fs::path& run);
    ~RunLock();
    RunLock(const RunLock&) = delete;
    RunLock& operator=(const RunLock&) = delete;
    /// Process id of the holder, 0 if the run is free.
    static int holder(const fs::path& run);

private:
    PosixFile file_;
};

/// Publishes a checkpoint whole or not at all: `write` fills a hidden sibling folder, every file in it is synced, a
/// manifest with sizes and SHA-256 comes last, and one rename makes it visible (or swaps it with the folder of that
/// name). Throws IoError, or what `write` throws, and leaves nothing behind. Killed at any moment, the old or the new
/// one stands.
void publishCheckpoint(
    const RunDirectory& run, const std::string& folder, const std::function<void(const fs::path&)>& write);
/// The same; where the disk is full, once more without older checkpoints, as pruneCheckpoints() leaves one. True: some
/// had to go.
bool publishMakingRoom(
    const RunDirectory& run, const std::string& folder, const std::function<void(const fs::path&)>& write);
/// True if the folder has a manifest and every file has its size (and hash, if `hash`).
bool checkpointComplete(const fs::path& folder, bool hash);
/// Why a folder is no complete checkpoint, e.g. "model.safetensors has 12 bytes of 4096"; empty if it is one. With
/// `hash` files of up to `largest` bytes are read whole, some 1.5 GB a second.
std::string checkpointProblem(
    const fs::path& folder, bool hash, std::int64_t largest = std::numeric_limits<std::int64_t>::max());
/// What tells a checkpoint from another one of its name: the SHA-256 of its manifest. Empty if that cannot be read.
std::string checkpointMark(const fs::path& folder);
/// Removes leftovers of interrupted saves and old checkpoints beyond `keep`, never `best`, never `latest`, never
/// the one before the last alert, never one that a waiting fork of the queue beside the run begins from.
void pruneCheckpoints(const RunDirectory& run, std::int64_t keep);
/// For a run that goes on from the checkpoint of `step`: later ones belong to a course that no longer is and become
/// "step-00002000.rewound-1", whole but listed no more; `latest` names that step, a later `best` is forgotten. Killed
/// in the middle, the newest that is left is still one that the metrics reach.
void setAsideLaterCheckpoints(const RunDirectory& run, std::int64_t step);
/// Removes leftovers in a checkpoints/ folder. Only for the holder of the run's lock, between two saves.
void sweepCheckpoints(const fs::path& folder) noexcept;
std::string checkpointName(std::int64_t step); ///< "step-00001000"
std::optional<std::int64_t> checkpointStep(const std::string& name); ///< empty if it is no checkpoint's name

} // namespace pha
