// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/events.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace pha {

/// Event to one metrics.jsonl object and back. Non-finite numbers become null with "nonfinite": true beside them.
/// ProgressEvent has no line. Unknown types give nothing.
Json eventToJson(const Event& event);
std::optional<Event> eventFromJson(const Json& json);

/// Appends one line per event with a single write(2) on O_APPEND, so that a kill loses nothing acknowledged.
class MetricsWriter {
public:
    /// Opens or creates; drops an unterminated tail that a crash left. Refuses symlinks and anything but a regular file.
    explicit MetricsWriter(const std::filesystem::path& file);
    ~MetricsWriter();
    MetricsWriter(const MetricsWriter&) = delete;
    MetricsWriter& operator=(const MetricsWriter&) = delete;

    void append(const Event& event); ///< throws IoError
    std::int64_t offset() const; ///< bytes so far; stored in checkpoints
    void sync(); ///< fdatasync
    /// Cuts the file back to `offset` (a resume from an earlier checkpoint); the cut rows go to
    /// "metrics.jsonl.rewound-<n>" beside it.
    void rewind(std::int64_t offset);

private:
    std::filesystem::path file_;
    int fd_ = -1;
};

/// Reads a metrics file that may still grow: each poll() returns the new complete lines. Forgives a torn tail (kept until its
/// newline arrives), counts lines that are not JSON, starts over when the file shrinks or is replaced.
class MetricsReader {
public:
    explicit MetricsReader(std::filesystem::path file)
        : file_(std::move(file))
    {
    }
    std::vector<Event> poll();
    std::int64_t badLines() const { return badLines_; }
    bool restarted() const { return restarted_; } ///< the last poll() started from the beginning again

private:
    std::filesystem::path file_;
    std::int64_t offset_ = 0, badLines_ = 0;
    std::uint64_t inode_ = 0;
    std::string tail_;
    bool restarted_ = false;
};

} // namespace pha
