// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/config/tag.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// What people say about a run, after the fact: notes, tags, whether it is put away. It lies in about.json beside
/// run.json, which says what is trained: a training that goes on writes that one anew from what it read at its start,
/// and would undo what was noted since.
namespace pha {

struct RunAbout {
    std::string notes;
    std::vector<std::string> tags; ///< in the order in which they were given
    bool archived = false;
    Json others = Json::object(); ///< what this program does not know: stays as it is

    Json toJson() const;
    static RunAbout fromJson(const Json& json); ///< throws ConfigError
    bool operator==(const RunAbout&) const = default;
};

/// What is to be different. A change, not the new state, so that two programs that change one run lose nothing.
struct AboutChange {
    std::optional<std::string> notes;
    std::vector<std::string> addTags, removeTags;
    std::optional<bool> archived;

    bool empty() const { return !notes && addTags.empty() && removeTags.empty() && !archived; }
    void applyTo(RunAbout& about) const; ///< throws ConfigError: a tag that cannot be one, too many, too long a text
};

std::filesystem::path aboutFile(const std::filesystem::path& run);
/// Nothing said where there is no file. Throws DataError if it is damaged.
RunAbout readAbout(const std::filesystem::path& run);
/// Reads, changes and replaces the file under a lock of its own: also while the run is trained, by whomever. Returns
/// what stands now. Throws CheckpointError if `run` is none, ConfigError, DataError, IoError.
RunAbout changeAbout(const std::filesystem::path& run, const AboutChange& change);

} // namespace pha
