// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_directory.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/text.h"
#include "engine/base/user_folders.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <sys/stat.h>
#include <unistd.h>

namespace pha {
namespace {

constexpr std::int64_t schema = 1;
/// A run.json has some 6 kB; the limit keeps hostile ones cheap.
constexpr std::int64_t largestRunFile = 256 * 1024;

const Json& member(const Json& json, const char* key, Json::value_t type, const char* expectation)
{
    const auto found = json.find(key);
    if (found == json.end()) throw ConfigError(key, "missing", expectation);
    if (found->type() != type) throw ConfigError(key, found->type_name(), expectation);
    return *found;
}

void checkSchema(const Json& json)
{
    const auto found = json.find("schema");
    if (found == json.end()) throw ConfigError("schema", "missing", "the number 1");
    if (!found->is_number_integer() || *found < 1)
        throw ConfigError("schema", found->is_number() ? found->dump() : found->type_name(), "the number 1");
    if (*found > schema)
        throw ConfigError("schema", found->dump(),
            "at most 1: a newer PHA Studio has written this run, so update this one to open it");
}

bool isGroup(const std::string& key) { return key == "model" || key == "data" || key == "training"; }

/// Settings that no field has, by group, out of `settings`.
Json takeUnknown(Json& settings)
{
    auto unknown = Json::object();
    for (auto& group : settings.items()) {
        const auto given = group.value(); // a copy: what it is asked for is taken out
        for (const auto& item : given.items()) {
            const auto known = [&](const GroupedField& f) {
                return f.group == group.key() && f.field.name == item.key();
            };
            if (std::any_of(allFields().begin(), allFields().end(), known)) continue;
            unknown[group.key()][item.key()] = item.value();
            group.value().erase(item.key());
        }
    }
    return unknown;
}

void makeFolders(const fs::path& path)
{
    std::error_code error;
    if (faultHook)
        if (const int number = faultHook("mkdir", path)) throwIoError(path, "create the folder", number);
    fs::create_directories(path, error);
    if (error) throwIoError(path, "create the folder", error.value());
}

/// What run.json will hold. Larger than what is read again it would be the end of a run.
std::string runFileText(const RunFile& file, const fs::path& path)
{
    auto text = file.toJson().dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    if (std::int64_t(text.size()) > largestRunFile)
        throw CheckpointError(path.string(),
            "would have " + std::to_string(text.size()) + " bytes, of which at most " + std::to_string(largestRunFile)
                + " are read",
            "shorten its name, sample_prompt or other texts");
    return text;
}

} // namespace

std::string timestampUtc()
{
    const std::time_t now = std::time(nullptr);
    std::tm parts {};
    ::gmtime_r(&now, &parts);
    std::array<char, 32> text {};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text.data();
}

Json RunFile::toJson() const
{
    const auto settings = config.toJson();
    Json json { { "schema", schema }, { "name", name }, { "created", created } };
    for (const char* group : { "model", "data", "training" }) json[group] = settings.at(group);
    json["environment"] = environment;
    if (!config.preset.empty()) json["environment"]["preset"] = config.preset;
    for (const auto& item : others.items()) {
        auto& place = json[item.key()];
        if (place.is_object() && item.value().is_object())
            place.update(item.value());
        else
            place = item.value();
    }
    return json;
}

RunFile RunFile::fromJson(const Json& json, RunUse use)
{
    if (!json.is_object()) throw ConfigError("run.json", json.type_name(), "a JSON object");
    checkSchema(json);
    RunFile file;
    file.name = member(json, "name", Json::value_t::string, "a text").get<std::string>();
    file.created = member(json, "created", Json::value_t::string, "a time as text").get<std::string>();
    file.environment = member(json, "environment", Json::value_t::object, "an object");
    for (const char* key : { "tokenizer", "corpus_fingerprint" }) // what a resume compares
        if (const auto found = file.environment.find(key); found != file.environment.end() && !found->is_string())
            throw ConfigError(std::string("environment.") + key, found->type_name(), "a digest as text");
    auto settings = Json::object();
    for (const char* group : { "model", "data", "training" })
        settings[group] = member(json, group, Json::value_t::object, "an object of settings");
    for (const auto& item : json.items()) {
        const auto& key = item.key();
        if (settings.contains(key) || key == "schema" || key == "name" || key == "created" || key == "environment")
            continue;
        if (use == RunUse::View)
            file.others[key] = item.value();
        else
            throw ConfigError(inQuotes(key), "unknown",
                "only schema, name, created, model, data, training and environment in run.json");
    }
    if (use == RunUse::View) file.others.update(takeUnknown(settings));
    file.config = RunConfig::fromJson(settings, {});
    if (const auto preset = file.environment.find("preset"); preset != file.environment.end() && preset->is_string())
        file.config.preset = preset->get<std::string>();
    return file;
}

std::string RunFile::unknown() const
{
    std::string names;
    const auto add = [&](const std::string& one) { names += (names.empty() ? "" : ", ") + one; };
    for (const auto& item : others.items())
        if (isGroup(item.key()))
            for (const auto& inner : item.value().items()) add(item.key() + "." + inner.key());
        else
            add(item.key());
    return names;
}

bool RunDirectory::exists() const
{
    std::error_code error;
    return fs::is_regular_file(runFile(), error);
}

void RunDirectory::require() const
{
    if (exists()) return;
    if (root_.empty()) throw ConfigError("the run", "", "the folder that a training run wrote");
    const auto refusal = [&](const std::string& what) {
        return CheckpointError(root_.string(), what, "give the folder that a training run wrote");
    };
    std::error_code error;
    if (fs::status(runFile(), error).type() == fs::file_type::none)
        throw refusal("cannot be opened: " + error.message());
    throw refusal(fs::exists(root_, error) ? "is not a run directory: it has no run.json" : "does not exist");
}

void RunDirectory::requireFresh() const
{
    if (exists())
        throw CheckpointError(root_.string(), "there is a run in this folder already",
            "choose another folder, or continue it with --resume");
    std::error_code error;
    auto there = absolutePath(root_);
    while (!error && !fs::exists(there, error) && there.has_relative_path()) there = there.parent_path();
    if (!fs::is_directory(there, error))
        throw CheckpointError(root_.string(), "no folder can be made there, since " + there.string() + " is a file",
            "choose another place with --run");
    if (::access(there.c_str(), W_OK) != 0)
        throw Error(root_.string() + ": no folder can be made there, since " + there.string()
                + " may not be written: " + std::strerror(errno),
            "choose another place with --run");
}

void RunDirectory::create(const RunFile& file) const
{
    if (!tryCreate(file))
        throw CheckpointError(
            root_.string(), "there is a run in this folder already", "choose another folder, or continue that run");
}

bool RunDirectory::tryCreate(const RunFile& file) const
{
    if (exists()) return false;
    auto complete = file;
    if (complete.created.empty()) complete.created = timestampUtc();
    const auto text = runFileText(complete, runFile());
    makeFolders(root_);
    makeFolders(checkpoints());
    AtomicFile out(runFile());
    out.write(text.data(), text.size());
    return out.commitNew();
}

RunFile RunDirectory::read(RunUse use) const
{
    require();
    const auto where = runFile().string();
    try {
        return RunFile::fromJson(parseJsonStrict(readFile(runFile(), largestRunFile), where), use);
    } catch (const ConfigError& error) {
        throw CheckpointError(where, error.problem(), error.advice());
    }
}

void RunDirectory::write(const RunFile& file) const { writeFileAtomically(runFile(), runFileText(file, runFile())); }

fs::path defaultRunsFolder()
{
    const char* const usual = ".local/share";
    auto base = userFolder("XDG_DATA_HOME", usual);
    if (base.empty()) base = usual;
    return base / "pha-studio" / "runs";
}

fs::path absolutePath(const fs::path& path)
{
    std::error_code error;
    auto absolute = fs::absolute(path, error);
    if (error)
        throw Error(path.string()
                + (error == std::errc::no_such_file_or_directory ? ": the current folder is gone"
                                                                 : ": the current folder: " + error.message()),
            "cd to one that exists", ExitCode::Usage);
    return absolute;
}

fs::path wholePath(const fs::path& path) { return absolutePath(path / "").lexically_normal().parent_path(); }

fs::path freshRunDirectory(const fs::path& parent, const std::string& name)
{
    std::string folder;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        folder += byte < 0x20 || byte == 0x7f || c == '/' || c == '\\' ? '-' : c;
    }
    folder.erase(0, std::min(folder.find_first_not_of(". "), folder.size())); // hidden, "." and ".."
    // Room for a number and for the longest file name; whole UTF-8 characters only.
    if (folder.size() > 200) {
        std::size_t end = 200;
        while (end > 0 && (static_cast<unsigned char>(folder[end]) & 0xc0) == 0x80) --end;
        folder.resize(end);
    }
    if (folder.empty()) folder = "run";
    std::error_code error;
    for (int n = 1;; ++n) {
        const auto path = parent / (n == 1 ? folder : folder + "-" + std::to_string(n));
        if (!fs::exists(fs::symlink_status(path, error))) return path;
    }
}

} // namespace pha
