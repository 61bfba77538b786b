// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/base/posix_file.h"
#include "engine/events.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

/// Event to one metrics.jsonl object and back. Non-finite numbers become null with "nonfinite": true beside them and
/// read back as NaN. ProgressEvent has no line (null). Unknown types and lines that lack what their type needs give
/// nothing.
Json eventToJson(const Event& event);
std::optional<Event> eventFromJson(const Json& json);

/// One line of a metrics file, without its line end.
struct MetricsLine {
    std::optional<Event> event; ///< empty: a type from another version, or damage
    bool damaged = false; ///< not JSON (or with a torn line before it, in which case the event is what follows that)
};
MetricsLine parseMetricsLine(std::string_view line);

/// Appends one line per event with a single write(2) on O_APPEND, so that a kill loses nothing acknowledged.
class MetricsWriter {
public:
    /// Opens or creates; drops an unterminated tail that a crash left, unless another writer lives, whose line it may
    /// be. Refuses symlinks and anything but a regular file.
    explicit MetricsWriter(const std::filesystem::path& file);

    /// Throws IoError; then nothing of the line is in the file, and the next append may succeed.
    void append(const Event& event);
    std::int64_t offset() const; ///< bytes so far; stored in checkpoints
    void sync(); ///< fdatasync
    /// Cuts the file back to `offset` (a resume from an earlier checkpoint); the cut rows go to
    /// "metrics.jsonl.rewound-<n>" beside it. Does nothing if the file is not longer.
    void rewind(std::int64_t offset);

private:
    std::int64_t lineStart(std::int64_t offset) const;
    std::filesystem::path keepCutRows(std::int64_t from) const;

    PosixFile file_;
};

/// Reads a metrics file that may still grow: each poll() returns new complete lines, at most `most` of them.
/// Forgives a torn tail (kept until its newline arrives), counts lines that are not JSON, starts over when the file
/// shrinks, is replaced or is rewritten. Never blocks on anything but the disk, never throws for what is in the file.
class MetricsReader {
public:
    /// `only`: the one type of event that is wanted ("command"), whose lines alone are parsed; damage is counted in
    /// these alone.
    explicit MetricsReader(std::filesystem::path file, const std::string& only = {})
        : file_(std::move(file))
        , only_(only.empty() ? only : '"' + only + '"')
    {
    }
    std::vector<Event> poll(std::size_t most = 200'000);
    /// True if the last poll() saw the end of the file; false: there is more to fetch at once.
    bool atEnd() const { return atEnd_; }
    int problem() const { return problem_; } ///< errno: why the last poll() could not read the file; 0: it could
    std::int64_t badLines() const { return badLines_; }
    bool restarted() const { return restarted_; } ///< the last poll() started from the beginning again

private:
    bool sameFile(const PosixFile& in) const;
    void startOver();
    bool isWanted(std::string_view line) const;
    void readSlices(std::vector<Event>& events, std::size_t most);
    std::size_t takeLines(std::string_view slice, std::vector<Event>& events, std::size_t most);

    std::filesystem::path file_;
    std::string only_; ///< in quotes, as it stands in the line; empty: every line is wanted
    std::int64_t offset_ = 0; ///< bytes taken, those of `tail_` included
    std::int64_t badLines_ = 0;
    std::uint64_t inode_ = 0, device_ = 0;
    std::string tail_; ///< beginning of a line whose end has not been read
    std::string anchor_; ///< last bytes before `offset_`: they tell a rewritten file from a grown one
    bool skipping_ = false; ///< inside a line too long to keep
    bool restarted_ = false, atEnd_ = false;
    int problem_ = 0;
};

/// Hands the events of a file, whatever its length, to `take` one by one: no more than some megabytes of them are held.
/// `startOver` is called if the file was rewound meanwhile, for what was taken before is in it no more. `badLines`
/// receives the number of lines that are damaged; `only` as in MetricsReader. Nothing happens if there is no file.
/// Throws DataError if what is there cannot be read.
void forEachMetric(const std::filesystem::path& file, const std::function<void(Event&)>& take,
    const std::function<void()>& startOver, std::int64_t* badLines = nullptr, const std::string& only = {});
/// All events of a file at once, some 500 bytes each. As forEachMetric().
std::vector<Event> readMetrics(const std::filesystem::path& file, std::int64_t* badLines = nullptr);

} // namespace pha
