// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/metrics.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

#include <fcntl.h>
#include <sys/stat.h>

namespace pha {
namespace {

constexpr std::size_t sliceBytes = std::size_t(4) << 20, longestLine = std::size_t(16) << 20, anchorBytes = 64;
constexpr std::size_t eventsPerPoll = 200'000;
constexpr std::int64_t bytesPerPoll = std::int64_t(128) << 20;

} // namespace

/// False if the file was replaced, shortened, or rewritten with other content since the last poll.
bool MetricsReader::sameFile(const PosixFile& in) const
{
    const auto status = in.status();
    if (status.st_ino != inode_ || status.st_dev != device_ || status.st_size < offset_) return false;
    std::string now(anchor_.size(), '\0');
    const auto got = in.readAt(now.data(), now.size(), offset_ - static_cast<std::int64_t>(now.size()));
    return got == now.size() && now == anchor_;
}

void MetricsReader::startOver()
{
    offset_ = badLines_ = 0;
    tail_.clear();
    anchor_.clear();
    skipping_ = false;
    restarted_ = true;
}

std::vector<Event> MetricsReader::poll()
{
    std::vector<Event> events;
    restarted_ = false;
    try {
        readSlices(events);
    } catch (const FileError&) {
        // Not there yet, or gone, or not readable at the moment: nothing new. A symbolic link is never followed.
        atEnd_ = true;
    }
    return events;
}

void MetricsReader::readSlices(std::vector<Event>& events)
{
    atEnd_ = true;
    const PosixFile in(file_, O_RDONLY | O_NOFOLLOW);
    const auto status = in.status();
    if (!S_ISREG(status.st_mode)) return;
    if (offset_ > 0 && !sameFile(in)) startOver();
    inode_ = status.st_ino;
    device_ = status.st_dev;

    atEnd_ = false;
    std::string slice;
    for (std::int64_t taken = 0; taken < bytesPerPoll && events.size() < eventsPerPoll;) {
        slice.resize(sliceBytes);
        const auto got = in.readAt(slice.data(), slice.size(), offset_);
        const auto view = std::string_view(slice).substr(0, got);
        const auto used = takeLines(view, events);
        offset_ += static_cast<std::int64_t>(used);
        taken += static_cast<std::int64_t>(used);
        anchor_.append(view.substr(used - std::min(used, anchorBytes), std::min(used, anchorBytes)));
        if (anchor_.size() > anchorBytes) anchor_.erase(0, anchor_.size() - anchorBytes);
        atEnd_ = used == got && got < sliceBytes;
        if (atEnd_) break;
    }
}

/// Takes the whole lines of a slice, and keeps the beginning of the next. Returns the bytes taken, fewer than all only
/// when enough events have been found.
std::size_t MetricsReader::takeLines(std::string_view slice, std::vector<Event>& events)
{
    std::size_t from = offset_ == 0 && slice.starts_with(byteOrderMark) ? byteOrderMark.size() : 0;
    while (from < slice.size() && events.size() < eventsPerPoll) {
        const auto newline = slice.find('\n', from);
        const auto part = slice.substr(from, newline == slice.npos ? slice.npos : newline - from);
        from = newline == slice.npos ? slice.size() : newline + 1;
        if (!skipping_ && tail_.size() + part.size() > longestLine) {
            skipping_ = true;
            ++badLines_;
        }
        if (newline == slice.npos) {
            if (!skipping_) tail_ += part;
        } else if (!skipping_) {
            if (!tail_.empty()) tail_ += part;
            auto line = parseMetricsLine(tail_.empty() ? part : std::string_view(tail_));
            if (line.damaged) ++badLines_;
            if (line.event) events.push_back(std::move(*line.event));
        }
        if (skipping_ || newline != slice.npos) {
            tail_.clear();
            if (tail_.capacity() > sliceBytes) tail_.shrink_to_fit();
        }
        if (newline != slice.npos) skipping_ = false;
    }
    return from;
}

std::vector<Event> readMetrics(const std::filesystem::path& file, std::int64_t* badLines)
{
    constexpr auto advice = "restore the file from a copy, or check its permissions";
    try {
        if (!S_ISREG(PosixFile(file, O_RDONLY | O_NOFOLLOW).status().st_mode))
            throw DataError(file.string(), "is not a regular file", advice);
    } catch (const FileError& error) {
        if (error.number() == ENOENT) return {};
        throw DataError(file.string(), std::string("cannot be read: ") + std::strerror(error.number()), advice);
    }
    MetricsReader reader(file);
    auto events = reader.poll();
    while (!reader.atEnd()) {
        auto more = reader.poll();
        if (reader.restarted()) events.clear(); // rewound while it was read
        events.insert(events.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    if (badLines) *badLines = reader.badLines();
    return events;
}

} // namespace pha
