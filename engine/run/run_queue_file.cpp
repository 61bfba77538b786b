// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_queue_file.h"

#include "engine/base/atomic_file.h"
#include "engine/base/json_text.h"
#include "engine/base/text.h"

#include <fcntl.h>
#include <sys/file.h>

namespace pha {

namespace {

constexpr std::int64_t queueSchema = 1, largestQueue = 64 << 20;

std::string text(const Json& json, const char* key)
{
    const auto found = json.find(key);
    if (found == json.end() || !found->is_string()) throw ConfigError(key, "not there", "a text");
    return found->get<std::string>();
}

/// What only some runs have.
std::string textIfThere(const Json& json, const char* key)
{
    return json.contains(key) ? text(json, key) : std::string();
}

/// Also a file that somebody else wrote must not name a place outside of the runs folder.
void checkFolder(const std::string& folder)
{
    if (folder.empty() || folder.front() == '.' || folder.find('/') != std::string::npos)
        throw ConfigError("folder", inQuotes(folder), "the name of a folder in the runs folder");
}

} // namespace

Json WaitingRun::toJson() const
{
    Json json { { "folder", folder }, { "name", name }, { "config", config.toJson() }, { "fork", forkFrom.string() },
        { "tags", tags } };
    if (!forkMark.empty()) json["fork_mark"] = forkMark;
    if (replay.is_null()) return json;
    json["replay"] = replay;
    json["init"] = initFrom.string();
    json["convert"] = convertFrom.string();
    return json;
}

WaitingRun WaitingRun::fromJson(const Json& json)
{
    if (!json.is_object()) throw ConfigError("a run", json.type_name(), "a JSON object");
    WaitingRun run { text(json, "folder"), text(json, "name"), {}, text(json, "fork"), {} };
    checkFolder(run.folder);
    const auto config = json.find("config"), tags = json.find("tags");
    if (config == json.end()) throw ConfigError("config", "not there", "the settings of the run");
    run.config = RunConfig::fromJson(*config, {});
    run.config.validate();
    if (tags == json.end() || !tags->is_array()) throw ConfigError("tags", "not there", "a list of texts");
    for (const auto& tag : *tags) {
        if (!tag.is_string()) throw ConfigError("tags", tag.type_name(), "a list of texts");
        run.tags.push_back(tag.get<std::string>());
    }
    run.forkMark = textIfThere(json, "fork_mark");
    if (!json.contains("replay")) return run;
    run.replay = json["replay"];
    if (!run.replay.is_object()) throw ConfigError("replay", run.replay.type_name(), "a JSON object");
    text(run.replay, "path");
    run.initFrom = textIfThere(json, "init");
    run.convertFrom = textIfThere(json, "convert");
    return run;
}

std::filesystem::path queueFile(const std::filesystem::path& runsFolder) { return runsFolder / "queue.json"; }

std::vector<WaitingRun> readQueue(const std::filesystem::path& runsFolder)
{
    const auto file = queueFile(runsFolder);
    std::error_code error;
    if (std::filesystem::symlink_status(file, error).type() == std::filesystem::file_type::not_found) return {};
    std::vector<WaitingRun> runs;
    try {
        const auto json = parseJsonStrict(readFile(file, largestQueue), file.string());
        if (!json.is_object() || json.value("schema", Json()) != queueSchema || !json.contains("runs")
            || !json["runs"].is_array())
            throw ConfigError("the queue", "of another form", "that of this version");
        for (const auto& run : json["runs"]) runs.push_back(WaitingRun::fromJson(run));
    } catch (const ConfigError& problem) {
        throw DataError(file.string(), problem.problem(), "correct or remove it; " + problem.advice());
    }
    return runs;
}

void writeQueue(const std::filesystem::path& runsFolder, const std::vector<WaitingRun>& runs)
{
    const auto file = queueFile(runsFolder);
    if (runs.empty()) {
        std::error_code error;
        std::filesystem::remove(file, error);
        if (error) throwIoError(file, "remove", error.value());
        return;
    }
    Json json { { "schema", queueSchema }, { "runs", Json::array() } };
    for (const auto& run : runs) json["runs"].push_back(run.toJson());
    writeFileAtomically(file, json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

QueueLock::QueueLock(const std::filesystem::path& runsFolder)
    : file_(runsFolder / ".queue.lock", O_RDWR | O_CREAT | O_NOFOLLOW)
{
    file_.requireRegular();
    if (!file_.lock(LOCK_EX | LOCK_NB))
        throw QueueTaken(runsFolder.string(), "another window works through the queue of these runs",
            "add the run there, or close that window");
}

} // namespace pha
