// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_directory.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/sha256.h"
#include "engine/run/run_queue_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pha {
namespace {

constexpr auto manifestName = "manifest.json";
constexpr std::string_view prefix = "step-";

std::string hashOf(const PosixFile& file)
{
    Sha256 hash;
    std::string block(1 << 20, '\0');
    std::int64_t at = 0;
    while (const auto got = file.readAt(block.data(), block.size(), at)) {
        hash.update(block.data(), got);
        at += static_cast<std::int64_t>(got);
    }
    return hash.hex();
}

bool realFolder(const fs::path& path)
{
    std::error_code error;
    return fs::is_directory(fs::symlink_status(path, error));
}

std::vector<fs::path> entries(const fs::path& folder)
{
    std::error_code error;
    std::vector<fs::path> paths;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
        paths.push_back(it->path());
    if (error) throwIoError(folder, "list", error.value());
    std::sort(paths.begin(), paths.end());
    return paths;
}

/// Syncs every file and writes the manifest: from then on the folder is a checkpoint, whatever its name.
void seal(const fs::path& folder)
{
    Json files = Json::array();
    for (const auto& path : entries(folder)) {
        PosixFile file(path, O_RDONLY | O_NOFOLLOW);
        file.requireRegular();
        file.sync();
        files.push_back(
            { { "name", path.filename().string() }, { "bytes", file.status().st_size }, { "sha256", hashOf(file) } });
    }
    writeFileAtomically(folder / manifestName, Json { { "schema", 1 }, { "files", files } }.dump(2) + "\n");
}

void makeFolder(const fs::path& path)
{
    const int injected = faultHook ? faultHook("mkdir", path) : 0;
    if (injected != 0 || ::mkdir(path.c_str(), 0777) != 0)
        throwIoError(path, "create the folder", injected ? injected : errno);
}

/// Where an old checkpoint waits on file systems that cannot swap two names in one step.
fs::path asidePath(const fs::path& target) { return temporarySibling(target, "aside-" + target.filename().string()); }

void replaceFolder(const fs::path& fresh, const fs::path& target)
{
    if (exchangePaths(fresh, target)) return removeTree(fresh); // which now holds the old one
    const auto aside = asidePath(target);
    removeTree(aside);
    renamePath(target, aside);
    try {
        renamePath(fresh, target);
    } catch (const IoError&) {
        std::error_code error;
        fs::rename(aside, target, error);
        throw;
    }
    removeTree(aside);
}

/// Puts back what a kill between the two renames of replaceFolder() left aside; the plain sweep would drop it.
void restoreAside(const fs::path& folder)
{
    constexpr std::string_view start = ".tmp-aside-";
    std::error_code error;
    for (const auto& path : entries(folder)) {
        const auto name = path.filename().string();
        if (!name.starts_with(start)) continue;
        const auto target = folder / name.substr(start.size(), name.rfind('-') - start.size());
        if (checkpointStep(target.filename().string()) && !fs::exists(fs::symlink_status(target, error)))
            fs::rename(path, target, error);
    }
}

} // namespace

std::string checkpointName(std::int64_t step) { return fmt::format("step-{:08}", step); }

fs::path RunDirectory::averagedWeights(std::int64_t step) const
{
    return averages() / "parts" / (checkpointName(step) + ".safetensors");
}

std::optional<std::int64_t> checkpointStep(const std::string& name)
{
    if (!name.starts_with(prefix)) return std::nullopt;
    std::int64_t step = 0;
    const char* last = name.data() + name.size();
    const char* first = name.data() + prefix.size();
    if (first == last || *first == '-') return std::nullopt;
    const auto [stop, error] = std::from_chars(first, last, step);
    if (error != std::errc() || stop != last) return std::nullopt;
    return step;
}

void sweepCheckpoints(const fs::path& folder) noexcept
{
    try {
        restoreAside(folder);
    } catch (const std::exception&) {
        return; // no folder yet, or one that cannot be read: nothing to sweep
    }
    sweepTemporaries(folder, true);
}

void publishCheckpoint(
    const RunDirectory& run, const std::string& folder, const std::function<void(const fs::path&)>& write)
{
    const auto parent = run.checkpoints();
    std::error_code error;
    if (fs::is_symlink(fs::symlink_status(parent, error)))
        throw IoError(parent.string(), "is a symbolic link, which a save does not follow");
    if (!realFolder(parent)) {
        makeFolder(parent);
        syncPath(run.root());
    }
    const auto target = parent / folder;
    const auto temporary = temporarySibling(target, folder);
    try {
        removeTree(temporary); // of a dead process that had our id
        makeFolder(temporary);
        write(temporary);
        seal(temporary);
        syncPath(temporary);
        if (fs::exists(fs::symlink_status(target, error)))
            replaceFolder(temporary, target);
        else
            renamePath(temporary, target);
        syncPath(parent);
    } catch (...) {
        fs::remove_all(temporary, error);
        throw;
    }
}

std::string checkpointProblem(const fs::path& folder, bool hash, std::int64_t largest)
{
    std::error_code error;
    const auto kind = fs::symlink_status(folder, error).type();
    if (kind == fs::file_type::none) return "it cannot be opened: " + error.message();
    if (kind != fs::file_type::directory) return "it is not a folder";
    const auto listing = folder / manifestName;
    const auto listed = fs::symlink_status(listing, error).type();
    if (listed == fs::file_type::none) return "it cannot be opened: " + error.message();
    if (listed == fs::file_type::not_found) return "it has no manifest.json, so its save was never finished";
    try {
        const auto manifest = parseJsonStrict(readFile(listing, 1 << 20), listing.string());
        for (const auto& item : manifest.at("files")) {
            const auto name = item.at("name").get<std::string>();
            if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos
                || name.find('\0') != name.npos)
                return "its manifest.json names a file outside the folder";
            const PosixFile file(folder / name, O_RDONLY | O_NOFOLLOW);
            const auto status = file.status();
            const auto bytes = item.at("bytes").get<std::int64_t>();
            if (!S_ISREG(status.st_mode)) return name + " is not a regular file";
            if (status.st_size != bytes) return fmt::format("{} has {} bytes of {}", name, status.st_size, bytes);
            if (hash && bytes <= largest && hashOf(file) != item.at("sha256").get<std::string>())
                return name + " is damaged: its SHA-256 differs";
        }
        return {};
    } catch (const nlohmann::json::exception&) {
        return "its manifest.json does not list files with sizes";
    } catch (const FileError& problem) {
        const auto name = fs::path(problem.path()).filename().string();
        return problem.number() == ENOENT ? name + " is missing"
                                          : name + " cannot be read: " + std::strerror(problem.number());
    } catch (const Error& problem) { // "PATH: why"
        return "its manifest.json" + problem.problem().substr(listing.string().size());
    }
}

std::string checkpointMark(const fs::path& folder)
{
    try {
        return hashOf(PosixFile(folder / manifestName, O_RDONLY | O_NOFOLLOW));
    } catch (const IoError&) {
        return {};
    }
}

bool checkpointComplete(const fs::path& folder, bool hash) { return checkpointProblem(folder, hash).empty(); }

std::vector<std::string> RunDirectory::list() const
{
    std::vector<std::pair<std::int64_t, std::string>> found;
    std::error_code error;
    if (!fs::is_directory(checkpoints(), error)) return {};
    for (const auto& path : entries(checkpoints())) {
        auto name = path.filename().string();
        const auto step = checkpointStep(name);
        if (step && checkpointComplete(path, false)) found.emplace_back(*step, std::move(name));
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> names;
    for (auto& [step, name] : found) names.push_back(std::move(name));
    return names;
}

std::string RunDirectory::damagedCheckpoint() const
{
    std::error_code error;
    if (!fs::is_directory(checkpoints(), error)) return {};
    std::pair<std::int64_t, std::string> newest { -1, {} };
    for (const auto& path : entries(checkpoints())) {
        const auto step = checkpointStep(path.filename().string());
        if (!step || *step <= newest.first) continue;
        const auto problem = checkpointProblem(path, false);
        if (!problem.empty() && fs::exists(fs::symlink_status(path, error))) // not pruned by its trainer meanwhile
            newest = { *step, path.filename().string() + ": " + problem };
    }
    return newest.second;
}

std::optional<std::string> RunDirectory::pointer(const std::string& name) const
{
    try {
        std::string named;
        while (true) {
            const PosixFile file(checkpoints() / name, O_RDONLY | O_NOFOLLOW);
            file.requireRegular();
            std::string text(64, '\0');
            text.resize(file.readAt(text.data(), text.size(), 0));
            while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
            // A checkpoint's name has no slash and no dots, so a pointer cannot lead anywhere else.
            if (!checkpointStep(text)) return std::nullopt;
            if (checkpointComplete(checkpoints() / text, false)) return text;
            if (text == named) return std::nullopt;
            named = text; // its trainer may have removed it since, and then names another one
        }
    } catch (const IoError&) {
        return std::nullopt;
    }
}

void RunDirectory::setPointer(const std::string& name, const std::string& folder) const
{
    writeFileAtomically(checkpoints() / name, folder + "\n");
}

namespace {

/// Checkpoints from which forks that wait in the queue beside the run will begin.
std::set<std::string> waitedFor(const RunDirectory& run)
{
    std::set<std::string> names;
    try {
        std::error_code error;
        for (const auto& waiting : readQueue(wholePath(run.root()).parent_path()))
            if (!waiting.forkFrom.empty() && fs::equivalent(waiting.forkFrom.parent_path(), run.checkpoints(), error))
                names.insert(waiting.forkFrom.filename().string());
    } catch (const std::exception&) {
        // A queue that cannot be read keeps nothing. Its window says what is wrong with it.
    }
    return names;
}

} // namespace

void pruneCheckpoints(const RunDirectory& run, std::int64_t keep)
{
    sweepCheckpoints(run.checkpoints());
    sweepTemporaries(run.root(), false);
    const auto all = run.list();
    const auto newest = std::min<std::int64_t>(std::max<std::int64_t>(keep, 1), std::ssize(all));
    std::set<std::string> kept(all.end() - newest, all.end());
    for (const char* name : { "latest", "best", "before_alert" })
        if (const auto folder = run.pointer(name)) kept.insert(*folder);
    kept.merge(waitedFor(run));
    for (const auto& name : all) {
        if (kept.count(name)) continue;
        // Out of sight first, so that a kill in the middle leaves litter for the next sweep and not half a checkpoint.
        const auto path = run.checkpoints() / name;
        const auto old = temporarySibling(path, "old-" + name);
        renamePath(path, old);
        removeTree(old);
    }
}

bool publishMakingRoom(
    const RunDirectory& run, const std::string& folder, const std::function<void(const fs::path&)>& write)
{
    try {
        publishCheckpoint(run, folder, write);
        return false;
    } catch (const FileError& problem) {
        if (problem.number() != ENOSPC && problem.number() != EDQUOT) throw;
        const auto before = run.list().size();
        pruneCheckpoints(run, 1);
        if (run.list().size() == before) throw;
    }
    publishCheckpoint(run, folder, write);
    return true;
}

void setAsideLaterCheckpoints(const RunDirectory& run, std::int64_t step)
{
    auto all = run.list();
    std::erase_if(all, [&](const std::string& name) { return checkpointStep(name).value_or(0) <= step; });
    if (all.empty()) return;
    const auto best = run.pointer("best");
    run.setPointer("latest", checkpointName(step));
    if (best && checkpointStep(*best).value_or(0) > step) removeTree(run.checkpoints() / "best");
    for (auto name = all.rbegin(); name != all.rend(); ++name)
        for (int n = 1;
             !renameToNew(run.checkpoints() / *name, run.checkpoints() / fmt::format("{}.rewound-{}", *name, n)); ++n) {
        }
    syncPath(run.checkpoints());
}

} // namespace pha
