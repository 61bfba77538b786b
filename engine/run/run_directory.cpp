// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_directory.h"

#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/sha256.h"
#include "engine/run/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace pha {

namespace {

constexpr int schema = 1;
constexpr std::int64_t smallFile = 16 << 20;

bool isCheckpointName(const std::string& name)
{
    return name.size() >= 6 && name.size() <= 25 && name.starts_with("step-")
        && std::all_of(name.begin() + 5, name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::int64_t stepOf(const std::string& name) { return std::strtoll(name.c_str() + 5, nullptr, 10); }

} // namespace

Json RunFile::toJson() const
{
    Json json { { "schema", schema }, { "name", name }, { "created", created } };
    if (!config.preset.empty()) json["preset"] = config.preset;
    const auto groups = config.toJson();
    for (const char* group : { "model", "data", "training" }) json[group] = groups.at(group);
    json["environment"] = environment;
    return json;
}

RunFile RunFile::fromJson(const Json& json)
{
    if (!json.is_object()) throw ConfigError("run.json", "not an object", "a JSON object with model, data and training");
    if (json.contains("schema") && (!json["schema"].is_number_integer() || json["schema"].get<std::int64_t>() > schema))
        throw ConfigError("schema", json["schema"].dump(), "1; a newer PHA Studio wrote this run");
    RunFile file;
    const auto text = [&](const char* key) { return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string(); };
    file.name = text("name");
    file.created = text("created");
    Json groups = Json::object();
    for (const char* group : { "model", "data", "training" }) {
        if (!json.contains(group)) throw ConfigError(group, "missing in run.json", "an object");
        groups[group] = json[group];
    }
    file.config = RunConfig::fromJson(groups, {});
    file.config.preset = text("preset");
    if (json.contains("environment") && json["environment"].is_object()) file.environment = json["environment"];
    return file;
}

bool RunDirectory::exists() const
{
    std::error_code error;
    return fs::exists(runFile(), error);
}

void RunDirectory::create(const RunFile& file) const
{
    std::error_code error;
    fs::create_directories(checkpoints(), error);
    if (error) throw IoError(root_.string(), "cannot create the run directory: " + error.message());
    AtomicFile out(runFile());
    const auto text = file.toJson().dump(2) + "\n";
    out.write(text.data(), text.size());
    if (!out.commitNew())
        throw CheckpointError(root_.string(), "there is a run in this folder already", "choose another folder, or continue it with --resume");
}

RunFile RunDirectory::read() const
{
    std::error_code error;
    if (!fs::exists(root_, error)) throw CheckpointError(root_.string(), "there is no such folder", "check the path");
    if (!exists()) throw CheckpointError(root_.string(), "this is not a run directory: it has no run.json", "give the folder of a run");
    try {
        return RunFile::fromJson(parseJsonStrict(readFile(runFile(), smallFile), runFile().string()));
    } catch (const ConfigError& e) {
        throw CheckpointError(runFile().string(), e.problem(), e.advice());
    }
}

void RunDirectory::write(const RunFile& file) const { writeFileAtomically(runFile(), file.toJson().dump(2) + "\n"); }

std::vector<std::string> RunDirectory::list() const
{
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(checkpoints(), error), end; !error && it != end; it.increment(error)) {
        const auto name = it->path().filename().string();
        if (isCheckpointName(name) && checkpointComplete(it->path(), false)) names.push_back(name);
    }
    std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return stepOf(a) < stepOf(b); });
    return names;
}

std::optional<std::string> RunDirectory::pointer(const std::string& name) const
{
    try {
        auto text = readFile(checkpoints() / name, 4096);
        while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
        if (isCheckpointName(text) && checkpointComplete(checkpoints() / text, false)) return text;
    } catch (const Error&) { // absent or not a file: there is no such pointer
    }
    return std::nullopt;
}

void RunDirectory::setPointer(const std::string& name, const std::string& folder) const { writeFileAtomically(checkpoints() / name, folder + "\n"); }

std::string checkpointName(std::int64_t step)
{
    auto digits = std::to_string(step);
    return "step-" + std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits;
}

fs::path defaultRunsFolder()
{
    const char* data = std::getenv("XDG_DATA_HOME");
    const char* home = std::getenv("HOME");
    const fs::path base = data && *data == '/' ? fs::path(data) : fs::path(home && *home ? home : ".") / ".local/share";
    return base / "pha-studio" / "runs";
}

fs::path freshRunDirectory(const fs::path& parent, const std::string& name)
{
    std::string safe;
    for (const char c : name) safe += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' ? c : '-';
    if (safe.empty() || safe[0] == '.') safe = "run" + safe;
    safe.resize(std::min<std::size_t>(safe.size(), 120));
    auto path = parent / safe;
    std::error_code error;
    for (int n = 2; fs::exists(path, error); ++n) path = parent / (safe + "-" + std::to_string(n));
    return path;
}

// Checkpoints ---------------------------------------------------------------------------------------------------------

void publishCheckpoint(const RunDirectory& run, const std::string& folder, const std::function<void(const fs::path&)>& write)
{
    const auto ready = run.checkpoints() / folder, partial = temporarySibling(ready, folder);
    removeTree(partial);
    std::error_code error;
    fs::create_directories(partial, error);
    if (error) throw IoError(partial.string(), "cannot create the folder: " + error.message());
    try {
        write(partial);
        Json files = Json::object();
        for (const auto& entry : fs::directory_iterator(partial)) {
            syncPath(entry.path());
            files[entry.path().filename().string()] = { { "bytes", entry.file_size() }, { "sha256", sha256Hex(readFile(entry.path(), std::int64_t(1) << 40)) } };
        }
        writeFileAtomically(partial / "manifest.json", Json { { "schema", schema }, { "files", files } }.dump(2) + "\n");
        syncPath(partial);
        if (!renameToNew(partial, ready)) { // saved before at this step: the new one takes its place in one move where possible
            if (exchangePaths(partial, ready)) {
                removeTree(partial);
            } else {
                removeTree(ready);
                renamePath(partial, ready);
            }
        }
        syncPath(run.checkpoints());
    } catch (const std::exception&) {
        fs::remove_all(partial, error);
        throw;
    }
}

bool checkpointComplete(const fs::path& folder, bool hash)
{
    try {
        const auto manifest = Json::parse(readFile(folder / "manifest.json", smallFile), nullptr, false);
        if (!manifest.is_object() || !manifest.contains("files") || !manifest["files"].is_object()) return false;
        for (const auto& [name, entry] : manifest["files"].items()) {
            if (name.find('/') != std::string::npos || !entry.is_object()) return false;
            const auto file = folder / name;
            std::error_code error;
            if (fs::file_size(file, error) != entry.at("bytes").get<std::uintmax_t>() || error) return false;
            if (hash && sha256Hex(readFile(file, std::int64_t(1) << 40)) != entry.at("sha256").get<std::string>()) return false;
        }
        return manifest["files"].contains("model.safetensors");
    } catch (const std::exception&) {
        return false;
    }
}

void pruneCheckpoints(const RunDirectory& run, std::int64_t keep)
{
    sweepTemporaries(run.checkpoints(), false);
    auto names = run.list();
    const auto best = run.pointer("best"), latest = run.pointer("latest");
    std::erase_if(names, [&](const auto& name) { return name == best || name == latest; });
    const auto others = std::max<std::int64_t>(0, keep - 1); // the latest is one of those kept
    for (std::int64_t i = 0; i + others < std::int64_t(names.size()); ++i) removeTree(run.checkpoints() / names[std::size_t(i)]);
}

fs::path runOfCheckpoint(const fs::path& checkpoint) { return checkpoint.parent_path().parent_path(); }

fs::path resolveCheckpoint(const fs::path& given)
{
    std::error_code error;
    auto path = fs::absolute(given, error).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    const auto where = given.string();
    if (!fs::exists(path, error)) throw CheckpointError(where, "there is no such file or folder", "check the path");
    if (!fs::is_directory(path, error)) {
        std::string start;
        try {
            start = PosixFile(path, O_RDONLY).isOpen() ? readFile(path, std::int64_t(1) << 40).substr(0, 4) : "";
        } catch (const Error&) { // unreadable: the general sentence below is as good
        }
        if (start.starts_with("PK\x03\x04") || start.starts_with("\x80\x02"))
            throw CheckpointError(where, "a pickled PyTorch file, which can run code when it is opened", "convert it to safetensors first");
        if (path.filename() == "model.safetensors" && checkpointComplete(path.parent_path(), false)) return path.parent_path();
        throw CheckpointError(where, "a file, not a run or a checkpoint folder", "give the folder of a run or of one of its checkpoints");
    }
    const RunDirectory run(path);
    if (run.exists()) {
        for (const char* name : { "best", "latest" })
            if (const auto folder = run.pointer(name)) return run.checkpoints() / *folder;
        if (const auto all = run.list(); !all.empty()) return run.checkpoints() / all.back();
        throw CheckpointError(where, "the run has no complete checkpoint yet", "wait for its first one, or train it further with --resume");
    }
    if (!fs::exists(path / "model.safetensors", error))
        throw CheckpointError(where, "neither a run directory (no run.json) nor a checkpoint (no model.safetensors)", "give the folder of a run");
    if (!checkpointComplete(path, false)) {
        const auto manifest = Json::parse(fs::exists(path / "manifest.json", error) ? readFile(path / "manifest.json", smallFile) : "{}", nullptr, false);
        std::string which = "manifest.json is missing";
        if (manifest.is_object() && manifest.contains("files"))
            for (const auto& [name, entry] : manifest["files"].items())
                if (fs::file_size(path / name, error) != entry.value("bytes", std::uintmax_t(0)) || error) which = name + " is missing or has the wrong size";
        throw CheckpointError(where, "the checkpoint is not complete: " + which, "take another checkpoint of the run");
    }
    return path;
}

// Lock ----------------------------------------------------------------------------------------------------------------

RunLock::RunLock(const fs::path& run)
{
    const auto file = run / ".lock";
    fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd_ < 0) throwIoError(file, "open");
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        const int pid = holder(run);
        ::close(fd_);
        throw CheckpointError(run.string(), "this run is in use by process " + std::to_string(pid), "stop that process first, or open the run in the window to follow it");
    }
    const auto text = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, text.data(), text.size(), 0) != ssize_t(text.size())) {
        ::close(fd_);
        throwIoError(file, "write");
    }
}

RunLock::~RunLock()
{
    if (fd_ >= 0) ::close(fd_); // the kernel frees the lock
}

int RunLock::holder(const fs::path& run)
{
    const int fd = ::open((run / ".lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return 0;
    char text[32] = {};
    int pid = 0;
    if (::flock(fd, LOCK_SH | LOCK_NB) != 0 && ::pread(fd, text, sizeof text - 1, 0) > 0) pid = std::atoi(text);
    ::close(fd);
    return pid;
}

} // namespace pha
