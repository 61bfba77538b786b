// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/sha256.h"
#include "engine/base/stop.h"
#include "engine/run/capsule_format.h"
#include "engine/run/run_about.h"
#include "engine/run/run_directory.h"

#include <algorithm>
#include <ctime>
#include <iterator>
#include <map>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>

namespace pha {
namespace {

constexpr std::size_t packBlock = std::size_t(4) << 20;
/// Files of checkpoints that are held open, the oldest first, which a run in training removes first. A process has 1024
/// descriptors.
constexpr std::ptrdiff_t mostOpen = 256;

/// A member: a text, or the first `bytes` of a file.
struct Source {
    CapsuleFile entry;
    fs::path file;
    std::string text;
    PosixFile open {}; ///< the file, if it may be removed before it is packed
};

Source textSource(const std::string& path, std::string text)
{
    Source source;
    source.entry = { path, std::int64_t(text.size()), sha256Hex(text) };
    source.text = std::move(text);
    return source;
}

PosixFile openToPack(const fs::path& path)
{
    try {
        return PosixFile(path, O_RDONLY | O_NOFOLLOW);
    } catch (const FileError& problem) {
        if (problem.number() != ENOENT) throw;
        throw CheckpointError(path.string(), "was removed before it was packed", "try again");
    }
}

/// Reads the first `bytes` of a file in blocks. Throws IoError if there are fewer by now.
template <class Take> void readBlocks(const PosixFile& file, std::int64_t bytes, const Take& take)
{
    file.requireRegular();
    std::string block(std::min(packBlock, std::size_t(std::max<std::int64_t>(bytes, 1))), '\0');
    for (std::int64_t at = 0; at < bytes;) {
        const auto wanted = std::size_t(std::min<std::int64_t>(std::int64_t(block.size()), bytes - at));
        const auto got = file.readAt(block.data(), wanted, at);
        if (got == 0) throw IoError(file.path().string(), "has become shorter while it was packed");
        take(std::string_view(block).substr(0, got));
        at += std::int64_t(got);
    }
}

/// Of a run that is trained the last line may be half written: up to the end of the last whole one.
std::int64_t wholeLines(const fs::path& metrics)
{
    const PosixFile file(metrics, O_RDONLY | O_NOFOLLOW);
    file.requireRegular();
    auto end = std::int64_t(file.status().st_size);
    for (char last = 0; end > 0; --end)
        if (file.readAt(&last, 1, end - 1) == 1 && last == '\n') break;
    return end;
}

Source hashedSource(const std::string& path, const fs::path& file, std::int64_t bytes)
{
    Sha256 hash;
    readBlocks(openToPack(file), bytes, [&](std::string_view block) { hash.update(block); });
    return { { path, bytes, hash.hex() }, file, {}, {} };
}

/// The steps whose weights wait for averages, of which a checkpoint's state.json tells.
void addAveraged(std::set<std::int64_t>& steps, const fs::path& stateFile)
{
    const auto state = Json::parse(readFile(stateFile, 16 << 20), nullptr, false);
    const auto averages = state.is_object() ? state.value("averages", Json()) : Json();
    if (!averages.is_object()) return;
    const auto add = [&](const Json& step) {
        if (step.is_number_integer()) steps.insert(step.get<std::int64_t>());
    };
    for (const auto& item : averages.value("best", Json::array()))
        if (item.is_object()) add(item.value("step", Json()));
    for (const auto& item : averages.value("last", Json::array())) add(item);
}

void addCheckpoint(
    std::vector<Source>& sources, const RunDirectory& run, const std::string& name, const CapsuleOptions& options)
{
    const auto folder = run.checkpoints() / name, list = folder / "manifest.json";
    if (const auto problem = checkpointProblem(folder, false); !problem.empty())
        throw CheckpointError(folder.string(), "cannot be packed: " + problem, "pack without it, or when it is whole");
    auto manifest = parseJsonStrict(readFile(list, 1 << 20), list.string());
    auto kept = Json::array();
    const auto inside = "checkpoints/" + name + "/";
    for (const auto& item : manifest.at("files")) {
        const auto file = item.at("name").get<std::string>();
        if (options.weightsOnly && file == "optimizer.safetensors") continue;
        kept.push_back(item);
        // The hash is that of the save; packing finds out whether it still holds.
        sources.push_back(
            { { inside + file, item.at("bytes").get<std::int64_t>(), item.at("sha256").get<std::string>() },
                folder / file, {}, std::ssize(sources) < mostOpen ? openToPack(folder / file) : PosixFile() });
    }
    manifest["files"] = std::move(kept);
    sources.push_back(textSource(inside + "manifest.json", manifest.dump(2) + "\n"));
}

/// The weights that wait for averages of these checkpoints, without which no resume goes on as the run would have.
void addAverages(std::vector<Source>& sources, const RunDirectory& run, const std::set<std::string>& names)
{
    std::error_code error;
    std::set<std::int64_t> steps;
    for (const auto& name : names)
        if (const auto file = run.checkpoints() / name / "state.json"; fs::exists(file, error))
            addAveraged(steps, file);
    for (const auto step : steps) {
        const auto file = run.averagedWeights(step);
        if (!fs::exists(file, error)) continue; // an older checkpoint's may be gone
        const auto inside = RunDirectory(fs::path()).averagedWeights(step).string();
        auto source = hashedSource(inside, file, std::int64_t(fs::file_size(file)));
        if (std::ssize(sources) < mostOpen) source.open = openToPack(file);
        sources.push_back(std::move(source));
    }
}

/// Which checkpoints there are changes while a run is trained: of one that is removed here, all are looked up anew.
std::vector<Source> checkpointSources(const RunDirectory& run, const CapsuleOptions& options)
{
    for (int tries = 20;; --tries) {
        std::map<std::string, std::string> pointers;
        for (const char* pointer : { "latest", "best", "before_alert" })
            if (const auto name = run.pointer(pointer)) pointers[pointer] = *name;
        std::set<std::string> names;
        for (const auto& [pointer, name] : pointers)
            if (pointer != "before_alert") names.insert(name);
        const auto all = run.list();
        if (options.allCheckpoints)
            names.insert(all.begin(), all.end());
        else if (names.empty() && !all.empty())
            names.insert(all.back());
        try {
            std::vector<Source> sources;
            for (const auto& name : names) addCheckpoint(sources, run, name, options);
            if (!options.weightsOnly) addAverages(sources, run, names);
            for (const auto& [pointer, name] : pointers)
                if (names.contains(name)) sources.push_back(textSource("checkpoints/" + pointer, name + "\n"));
            return sources;
        } catch (const Error&) {
            const auto there = [&](const std::string& name) {
                std::error_code error;
                return fs::exists(run.checkpoints() / name, error) || error;
            };
            if (tries == 1 || std::all_of(names.begin(), names.end(), there)) throw;
        }
    }
}

std::vector<Source> sourcesOf(const RunDirectory& run, const CapsuleOptions& options)
{
    std::error_code error;
    // First: metrics.jsonl of a run that is trained tells of all before them.
    auto checkpoints = checkpointSources(run, options);
    std::vector<Source> sources;
    sources.push_back(textSource("run.json", readFile(run.runFile(), largestCapsuleList)));
    if (auto about = readAbout(run.root()); about != RunAbout()) {
        about.archived = false; // who unpacks it wants to see it
        sources.push_back(
            textSource("about.json", about.toJson().dump(2, ' ', false, Json::error_handler_t::replace) + "\n"));
    }
    if (fs::exists(run.metricsFile(), error))
        sources.push_back(hashedSource("metrics.jsonl", run.metricsFile(), wholeLines(run.metricsFile())));
    if (fs::exists(run.tokenizerFile(), error)) {
        if (!fs::is_regular_file(fs::symlink_status(run.tokenizerFile(), error)))
            throw DataError(run.tokenizerFile().string(), "is not a regular file", "restore it from a copy");
        sources.push_back(
            hashedSource("tokenizer.model", run.tokenizerFile(), std::int64_t(fs::file_size(run.tokenizerFile()))));
    }
    std::move(checkpoints.begin(), checkpoints.end(), std::back_inserter(sources));
    return sources;
}

/// Writes members one after the other and tells how far it is.
class Packer {
public:
    Packer(AtomicFile& out, std::int64_t total, EventSink& progress, const std::stop_token& stop)
        : out_(out)
        , total_(total)
        , progress_(progress)
        , stop_(stop)
        , time_(std::int64_t(std::time(nullptr)))
    {
    }

    void add(const Source& source)
    {
        const auto& entry = source.entry;
        const auto header = tarHeader(entry.path, entry.bytes, time_);
        out_.write(header.data(), header.size());
        Sha256 hash;
        const auto take = [&](std::string_view block) {
            throwIfStopped(stop_, "packing the run", "start it again when you like");
            hash.update(block);
            out_.write(block.data(), block.size());
            done_ += std::int64_t(block.size());
            progress_.publish(ProgressEvent { "packing", double(done_), double(total_), "bytes" });
        };
        if (source.file.empty())
            take(source.text);
        else if (source.open.isOpen())
            readBlocks(source.open, entry.bytes, take);
        else
            readBlocks(openToPack(source.file), entry.bytes, take);
        if (hash.hex() != entry.sha256)
            throw CheckpointError(source.file.string(),
                "is damaged, or has changed while it was packed: its SHA-256 differs",
                "try again; if it stays so, pack without that checkpoint");
        const std::string padding(std::size_t(tarPadding(entry.bytes)), '\0');
        out_.write(padding.data(), padding.size());
    }

private:
    AtomicFile& out_;
    std::int64_t total_, done_ = 0;
    EventSink& progress_;
    const std::stop_token& stop_;
    std::int64_t time_;
};

} // namespace

Capsule writeCapsule(const fs::path& run, const fs::path& file, const CapsuleOptions& options, EventSink& progress,
    const std::stop_token& stop)
{
    const RunDirectory directory(run);
    const auto described = directory.read(RunUse::View);
    const auto taken = [&] {
        return CheckpointError(file.string(), "exists", "choose another name, or remove it first");
    };
    std::error_code error;
    if (!options.replace && fs::exists(fs::symlink_status(file, error))) throw taken();
    const auto sources = sourcesOf(directory, options);
    Capsule capsule { described.name, described.created, {} };
    for (const auto& source : sources) capsule.files.push_back(source.entry);
    AtomicFile out(file);
    Packer packer(out, capsule.bytes(), progress, stop);
    packer.add(
        textSource(capsuleListName, capsuleToJson(capsule).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"));
    for (const auto& source : sources) packer.add(source);
    const std::string end(2 * tarBlock, '\0');
    out.write(end.data(), end.size());
    if (options.replace)
        out.commit();
    else if (!out.commitNew())
        throw taken();
    return capsule;
}

} // namespace pha
