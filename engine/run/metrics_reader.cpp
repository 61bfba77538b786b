// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/metrics.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>

namespace pha {
namespace {

constexpr std::size_t sliceBytes = std::size_t(4) << 20, longestLine = std::size_t(16) << 20, anchorBytes = 64;
constexpr std::size_t heldEvents = 1 << 14; ///< by forEachMetric()
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

std::vector<Event> MetricsReader::poll(std::size_t most)
{
    std::vector<Event> events;
    restarted_ = false;
    problem_ = 0;
    try {
        readSlices(events, most);
    } catch (const FileError& error) {
        // Not there yet, or gone, or not readable at the moment: nothing new. A symbolic link is never followed.
        atEnd_ = true;
        problem_ = error.number();
    }
    return events;
}

void MetricsReader::readSlices(std::vector<Event>& events, std::size_t most)
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
    for (std::int64_t taken = 0; taken < bytesPerPoll && events.size() < most;) {
        slice.resize(sliceBytes);
        const auto got = in.readAt(slice.data(), slice.size(), offset_);
        const auto view = std::string_view(slice).substr(0, got);
        const auto used = takeLines(view, events, most);
        offset_ += static_cast<std::int64_t>(used);
        taken += static_cast<std::int64_t>(used);
        anchor_.append(view.substr(used - std::min(used, anchorBytes), std::min(used, anchorBytes)));
        if (anchor_.size() > anchorBytes) anchor_.erase(0, anchor_.size() - anchorBytes);
        atEnd_ = used == got && got < sliceBytes;
        if (atEnd_) break;
    }
}

bool MetricsReader::isWanted(std::string_view line) const
{
    return only_.empty() || ::memmem(line.data(), line.size(), only_.data(), only_.size()) != nullptr;
}

/// Takes the whole lines of a slice, and keeps the beginning of the next. Returns the bytes taken, fewer than all only
/// when enough events have been found.
std::size_t MetricsReader::takeLines(std::string_view slice, std::vector<Event>& events, std::size_t most)
{
    std::size_t from = offset_ == 0 && slice.starts_with(byteOrderMark) ? byteOrderMark.size() : 0;
    while (from < slice.size() && events.size() < most) {
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
            const auto whole = tail_.empty() ? part : std::string_view(tail_);
            auto line = isWanted(whole) ? parseMetricsLine(whole) : MetricsLine();
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

void forEachMetric(const std::filesystem::path& file, const std::function<void(Event&)>& take,
    const std::function<void()>& startOver, std::int64_t* badLines, const std::string& only)
{
    constexpr auto advice = "restore the file from a copy, or check its permissions";
    const auto unreadable = [&](int number) {
        return DataError(file.string(), std::string("cannot be read: ") + std::strerror(number), advice);
    };
    try {
        if (!S_ISREG(PosixFile(file, O_RDONLY | O_NOFOLLOW).status().st_mode))
            throw DataError(file.string(), "is not a regular file", advice);
    } catch (const FileError& error) {
        if (error.number() == ENOENT) return;
        throw unreadable(error.number());
    }
    MetricsReader reader(file, only);
    do {
        auto events = reader.poll(heldEvents);
        if (reader.problem() != 0) throw unreadable(reader.problem());
        if (reader.restarted()) startOver();
        for (auto& event : events) take(event);
    } while (!reader.atEnd());
    if (badLines) *badLines = reader.badLines();
}

std::vector<Event> readMetrics(const std::filesystem::path& file, std::int64_t* badLines)
{
    std::vector<Event> events;
    forEachMetric(
        file, [&](Event& event) { events.push_back(std::move(event)); }, [&] { events.clear(); }, badLines);
    return events;
}

} // namespace pha
