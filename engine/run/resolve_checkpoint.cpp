// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_directory.h"

#include "engine/base/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

namespace pha {
namespace {

constexpr auto giveFolder = "give a run directory or one of its checkpoints";
constexpr auto takeAnotherCheckpoint = "take another checkpoint of the run";
constexpr auto weightsName = "model.safetensors";
constexpr std::int64_t hashedBytes = 256 << 20;

/// Pickled files are programs: PyTorch's zip container and its older form. Names are no guide, contents are.
bool looksPickled(const fs::path& file)
{
    try {
        std::array<unsigned char, 4> head {};
        const auto got = PosixFile(file, O_RDONLY).readAt(head.data(), head.size(), 0);
        const bool zip = got == 4 && head[0] == 'P' && head[1] == 'K' && head[2] == 3 && head[3] == 4;
        const bool pickle = got >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5;
        return zip || pickle;
    } catch (const IoError&) {
        return false;
    }
}

[[noreturn]] void refuseFile(const fs::path& path)
{
    if (looksPickled(path))
        throw CheckpointError(path.string(),
            "is a pickled PyTorch file, which can run any program when it is opened, so it is never read",
            "convert it to safetensors where it came from (safetensors.torch.save_file)");
    throw CheckpointError(path.string(), "is a file, not a run directory or a checkpoint folder", giveFolder);
}

/// Where files are closed, another checkpoint is no better.
std::string adviceOn(const std::string& problem, const char* otherwise)
{
    for (const int number : { EACCES, EPERM })
        if (problem.ends_with(std::strerror(number))) return "check its permissions";
    return otherwise;
}

fs::path newestOf(const RunDirectory& run)
{
    for (const char* name : { "best", "latest" })
        if (const auto folder = run.pointer(name)) return run.checkpoints() / *folder;
    if (const auto all = run.list(); !all.empty()) return run.checkpoints() / all.back();
    std::error_code error;
    int count = 0;
    std::pair<std::int64_t, fs::path> newest;
    for (fs::directory_iterator it(run.checkpoints(), error), end; !error && it != end; it.increment(error))
        if (const auto step = checkpointStep(it->path().filename().string())) {
            ++count;
            newest = std::max(newest, { *step, it->path() });
        }
    if (count == 0)
        throw CheckpointError(
            run.root().string(), "is a run without a checkpoint yet", "train it until its first checkpoint");
    const auto& path = newest.second;
    const auto problem = checkpointProblem(path, false);
    if (count == 1)
        throw CheckpointError(path.string(), "is not a complete checkpoint: " + problem,
            adviceOn(problem, "the run has no other one; continue or repeat its training"));
    throw CheckpointError(run.root().string(),
        "none of its " + std::to_string(count) + " checkpoints is complete, the newest is " + path.filename().string()
            + ": " + problem,
        adviceOn(problem, "continue or repeat its training"));
}

bool looksLikeCheckpoint(const fs::path& folder)
{
    std::error_code error;
    for (const char* name : { "manifest.json", weightsName, "state.json" })
        if (fs::exists(folder / name, error)) return true;
    return checkpointStep(folder.filename().string()).has_value();
}

} // namespace

fs::path resolveCheckpoint(const fs::path& runOrCheckpoint)
{
    if (runOrCheckpoint.empty()) throw ConfigError("the run", "", "a run directory or one of its checkpoints");
    std::error_code error;
    const auto status = fs::status(runOrCheckpoint, error);
    if (!fs::exists(status)) {
        if (status.type() == fs::file_type::none)
            throw CheckpointError(runOrCheckpoint.string(), "cannot be opened: " + error.message(), giveFolder);
        throw CheckpointError(runOrCheckpoint.string(), "does not exist", giveFolder);
    }
    // An absolute path without "." and without a slash at its end, whose name and parent mean something.
    auto path = fs::canonical(runOrCheckpoint, error);
    if (error) throw CheckpointError(runOrCheckpoint.string(), "cannot be opened: " + error.message(), giveFolder);
    const auto name = path.filename().string();
    const RunDirectory above(path.parent_path().parent_path());
    const bool pointerFile =
        fs::is_regular_file(status) && path.parent_path().filename() == "checkpoints" && above.exists();
    if (pointerFile && (name == "latest" || name == "best")) {
        if (const auto folder = above.pointer(name)) return above.checkpoints() / *folder;
        throw CheckpointError(path.string(), "does not name a complete checkpoint", giveFolder);
    }
    if (!fs::is_directory(status)) refuseFile(path);
    const fs::directory_iterator readable(path, error);
    if (error) throw CheckpointError(path.string(), "cannot be opened: " + error.message(), giveFolder);
    if (RunDirectory(path).exists()) return newestOf(RunDirectory(path));
    if (name == "checkpoints" && RunDirectory(path.parent_path()).exists())
        return newestOf(RunDirectory(path.parent_path()));
    if (!looksLikeCheckpoint(path))
        throw CheckpointError(path.string(),
            "is a folder without a run.json, so it is neither a run directory nor a checkpoint", giveFolder);
    if (const auto problem = checkpointProblem(path, false); !problem.empty())
        throw CheckpointError(
            path.string(), "is not a complete checkpoint: " + problem, adviceOn(problem, takeAnotherCheckpoint));
    return path;
}

bool isCheckpointsWeights(const fs::path& file)
{
    std::error_code error;
    const auto path = fs::absolute(file, error);
    return path.filename() == weightsName && fs::is_regular_file(path, error)
        && fs::exists(path.parent_path() / "manifest.json", error);
}

bool isModelFile(const fs::path& path)
{
    std::error_code error;
    return path.extension() == ".safetensors" && fs::is_regular_file(path, error) && !isCheckpointsWeights(path);
}

void requireModel(const fs::path& path)
{
    if (!isModelFile(path)) resolveCheckpoint(checkpointGiven(path));
}

fs::path checkpointGiven(const fs::path& runOrCheckpoint)
{
    return isCheckpointsWeights(runOrCheckpoint) ? fs::absolute(runOrCheckpoint).parent_path() : runOrCheckpoint;
}

void requireIntact(const fs::path& checkpoint)
{
    if (const auto problem = checkpointProblem(checkpoint, true, hashedBytes); !problem.empty())
        throw CheckpointError(checkpoint.string(), problem, adviceOn(problem, takeAnotherCheckpoint));
}

fs::path intactCheckpoint(const fs::path& runOrCheckpoint)
{
    return readCheckpoint(runOrCheckpoint, [](const fs::path& folder) { return folder; });
}

FolderIdentity folderIdentity(const fs::path& folder) noexcept
{
    struct stat status { };
    if (::lstat(folder.c_str(), &status) != 0) return {};
    return { std::uint64_t(status.st_dev), std::uint64_t(status.st_ino) };
}

bool checkpointReplaced(const fs::path& runOrCheckpoint, const fs::path& was, const FolderIdentity& before)
{
    std::error_code error;
    if (fs::exists(was, error)) return folderIdentity(was) != before;
    return !error && resolveCheckpoint(runOrCheckpoint) != was;
}

fs::path runOfCheckpoint(const fs::path& checkpoint)
{
    std::error_code error;
    const auto path = fs::canonical(checkpoint, error);
    const RunDirectory run(path.parent_path().parent_path());
    if (error || !run.exists())
        throw CheckpointError(checkpoint.string(), "does not lie in the checkpoints folder of a run",
            "keep checkpoints inside their run directory");
    return run.root();
}

fs::path runNamed(const fs::path& runOrCheckpoint)
{
    if (!runOrCheckpoint.empty() && RunDirectory(runOrCheckpoint).exists()) return runOrCheckpoint;
    return runOfCheckpoint(resolveCheckpoint(runOrCheckpoint));
}

} // namespace pha
