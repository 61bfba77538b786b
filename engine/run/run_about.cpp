// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_about.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/text.h"
#include "engine/run/run_directory.h"

#include <algorithm>

#include <fcntl.h>

namespace pha {
namespace {

constexpr std::int64_t aboutSchema = 1;
constexpr std::size_t longestNotes = 64 * 1024, mostTags = 32;
/// Notes whose every byte is escaped, and the tags.
constexpr std::int64_t largestAboutFile = 512 * 1024;

void checkAbout(const RunAbout& about)
{
    if (about.notes.size() > longestNotes)
        throw ConfigError("the length of the notes", std::to_string(about.notes.size()) + " bytes",
            "at most " + std::to_string(longestNotes));
    if (about.tags.size() > mostTags)
        throw ConfigError(
            "the number of tags", std::to_string(about.tags.size()), "at most " + std::to_string(mostTags));
    for (const auto& tag : about.tags) checkTag(tag);
}

/// Held while about.json is read, changed and replaced: some milliseconds.
class AboutLock {
public:
    explicit AboutLock(const fs::path& run)
        : file_(run / ".about.lock", O_RDWR | O_CREAT | O_NOFOLLOW)
    {
        file_.requireRegular();
        if (!file_.lockSoon())
            throw CheckpointError(
                run.string(), "another process has been changing its notes for a while", "try again when it has ended");
    }

private:
    PosixFile file_;
};

} // namespace

Json RunAbout::toJson() const
{
    Json json { { "schema", aboutSchema }, { "notes", notes }, { "tags", tags }, { "archived", archived } };
    json.update(others);
    return json;
}

RunAbout RunAbout::fromJson(const Json& json)
{
    if (!json.is_object()) throw ConfigError("about.json", json.type_name(), "a JSON object");
    RunAbout about;
    const auto wrong = [](const std::string& key, const Json& value, const char* expectation) {
        return ConfigError(key, value.type_name(), expectation);
    };
    for (const auto& item : json.items()) {
        const auto& value = item.value();
        if (item.key() == "schema") {
            if (!value.is_number_integer() || value != aboutSchema)
                throw ConfigError("schema", value.is_number() ? value.dump() : value.type_name(), "the number 1");
        } else if (item.key() == "notes") {
            if (!value.is_string()) throw wrong("notes", value, "a text");
            about.notes = value.get<std::string>();
        } else if (item.key() == "tags") {
            if (!value.is_array()) throw wrong("tags", value, "a list of texts");
            for (const auto& tag : value) {
                if (!tag.is_string()) throw wrong("tags", tag, "a list of texts");
                about.tags.push_back(tag.get<std::string>());
            }
        } else if (item.key() == "archived") {
            if (!value.is_boolean()) throw wrong("archived", value, "true or false");
            about.archived = value.get<bool>();
        } else {
            about.others[item.key()] = value;
        }
    }
    checkAbout(about);
    return about;
}

void AboutChange::applyTo(RunAbout& about) const
{
    if (notes) about.notes = *notes;
    for (const auto& tag : removeTags) std::erase(about.tags, tag);
    for (const auto& tag : addTags)
        if (std::find(about.tags.begin(), about.tags.end(), tag) == about.tags.end()) about.tags.push_back(tag);
    if (archived) about.archived = *archived;
    checkAbout(about);
}

fs::path aboutFile(const fs::path& run) { return run / "about.json"; }

RunAbout readAbout(const fs::path& run)
{
    const auto file = aboutFile(run);
    std::error_code error;
    if (fs::symlink_status(file, error).type() == fs::file_type::not_found) return {};
    const auto where = file.string();
    try {
        return RunAbout::fromJson(parseJsonStrict(readFile(file, largestAboutFile), where));
    } catch (const ConfigError& problem) {
        throw DataError(where, problem.problem(), "correct or remove it; " + problem.advice());
    }
}

RunAbout changeAbout(const fs::path& run, const AboutChange& change)
{
    RunDirectory(run).require();
    const AboutLock lock(run);
    const auto before = readAbout(run);
    auto about = before;
    change.applyTo(about);
    if (about != before)
        writeFileAtomically(aboutFile(run), about.toJson().dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    return about;
}

} // namespace pha
