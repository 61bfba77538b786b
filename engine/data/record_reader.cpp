// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/record_reader.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <utility>

namespace pha {

namespace {

constexpr std::size_t readBytes = std::size_t(1) << 18;
constexpr std::uint64_t minBlock = 256, maxBlock = 64 << 10;
constexpr std::size_t manyLines = 4, longLine = 16; ///< in blocks: a record without paragraphs, without line ends
constexpr std::size_t maxArticle = std::size_t(4) << 20, maxLine = std::size_t(16) << 20;
constexpr auto none = std::string_view::npos;

/// " = Title = " but not " = = Section = = ".
bool isArticleTitle(std::string_view line)
{
    while (line.ends_with(' ') || line.ends_with('\r')) line.remove_suffix(1);
    return line.size() > 5 && line.starts_with(" = ") && line.ends_with(" =") && line[3] != '='
        && line[line.size() - 3] != '=';
}

bool isBlank(std::string_view line) { return line.find_first_not_of(" \r\t") == none; }

} // namespace

bool beginsWithTitle(std::string_view head)
{
    if (head.starts_with(byteOrderMark)) head.remove_prefix(byteOrderMark.size());
    for (std::size_t begin = 0; begin < head.size();) {
        const auto end = head.find('\n', begin);
        if (end == none) return false;
        const auto line = head.substr(begin, end - begin);
        if (!isBlank(line)) return isArticleTitle(line);
        begin = end + 1;
    }
    return false;
}

std::uint64_t blockBytesFor(const std::vector<TextFile>& files)
{
    std::uint64_t bytes = 0;
    for (const auto& file : files) bytes += file.size;
    return std::clamp<std::uint64_t>(bytes / 400, minBlock, maxBlock);
}

RecordReader::RecordReader(
    const std::vector<TextFile>& files, std::uint64_t blockBytes, std::atomic<std::uint64_t>* taken)
    : walker_(files, taken)
    , target_(blockBytes)
{
}

bool RecordReader::next(TextRecord& record)
{
    for (;;) {
        if (!open_) {
            if (!walker_.next()) return false;
            position_ = { walker_.file(), walker_.text(), 0 };
            open_ = true;
            ended_ = false;
            buffer_.clear();
            begin_ = 0;
        }
        record = { {}, walker_.kind(), {}, walker_.given(), position_.offset == 0, false, false, 0, false };
        if (record.kind == TextKind::Lines) record.field = walker_.textField();
        if (record.kind == TextKind::Rows) {
            if (takeRow(record)) return true;
            open_ = false;
            continue;
        }
        const auto length = record.kind == TextKind::Plain ? cutPlain(record.cut)
            : record.kind == TextKind::WikiText            ? cutArticle()
                                                           : cutLine();
        record.tooLong = std::exchange(tooLong_, 0);
        if (length == 0 && record.tooLong == 0) {
            open_ = false;
            continue;
        }
        record.bytes.assign(buffer_, begin_, length);
        begin_ += length;
        position_.offset += length;
        record.last = held() == 0 && !fill();
        return true;
    }
}

void RecordReader::seek(const TextPosition& position)
{
    if (!walker_.seek(position.file, position.text))
        throw DataError("data", "the texts changed since the work began", "prepare them again from the beginning");
    if (walker_.kind() == TextKind::Rows)
        walker_.rows().skip(position.offset);
    else
        walker_.bytes().skip(position.offset);
    position_ = position;
    open_ = true;
    ended_ = false;
    buffer_.clear();
    begin_ = 0;
}

bool RecordReader::fill()
{
    if (ended_) return false;
    buffer_.erase(0, begin_);
    begin_ = 0;
    const auto size = buffer_.size();
    buffer_.resize(size + readBytes);
    const auto got = walker_.bytes().read(buffer_.data() + size, readBytes);
    buffer_.resize(size + got);
    ended_ = got == 0;
    return !ended_;
}

/// Length of the next record, 0 at the end of the text. `within`: it ends inside a line.
std::size_t RecordReader::cutPlain(bool& within)
{
    const auto most = std::size_t((longLine + 1) * target_);
    std::size_t line = 0; // where the current line begins
    for (;;) {
        const auto text = std::string_view(buffer_).substr(begin_);
        const auto end = text.find('\n', line);
        if (end != none && end < most) {
            const auto length = end + 1;
            const bool empty = isBlank(text.substr(line, end - line));
            if ((length >= target_ && empty) || length >= manyLines * target_) return length;
            line = length;
            continue;
        }
        if (end == none && text.size() < most && fill()) continue;
        if (end == none && text.size() < most) return text.size();
        within = true;
        const auto space = text.find(' ', std::size_t(longLine * target_));
        if (space < most) return space;
        auto length = most;
        while (length > 1 && ((text[length] & 0xC0) == 0x80 || text[length - 1] == '\r')) --length;
        return length;
    }
}

std::size_t RecordReader::cutArticle()
{
    std::size_t line = 0;
    for (bool words = false;;) {
        const auto text = std::string_view(buffer_).substr(begin_);
        const auto end = text.find('\n', line);
        if (end == none) {
            if (text.size() >= maxArticle) return line > 0 ? line : text.size();
            if (!fill()) return held();
            continue;
        }
        auto content = text.substr(line, end - line);
        // The document loses it; a line that holds nothing else is blank.
        if (position_.offset == 0 && line == 0 && content.starts_with(byteOrderMark))
            content.remove_prefix(byteOrderMark.size());
        if (words && (isArticleTitle(content) || end + 1 > maxArticle)) return line;
        words |= !isBlank(content);
        line = end + 1;
    }
}

/// A line of JSON with its end. Lines that are too long are passed over.
std::size_t RecordReader::cutLine()
{
    for (std::size_t searched = 0;;) {
        const auto text = std::string_view(buffer_).substr(begin_);
        const auto end = text.find('\n', searched);
        if (end != none) return end + 1;
        if (text.size() > maxLine) {
            if (!skipLine()) return 0;
            searched = 0;
            continue;
        }
        searched = text.size();
        if (!fill()) return held();
    }
}

/// A row is a record, also one without a text, so that whoever stops is heard.
bool RecordReader::takeRow(TextRecord& record)
{
    std::optional<std::string_view> text;
    if (!walker_.rows().next(text)) return false;
    ++position_.offset;
    record.empty = !text;
    record.tooLong = text && text->size() > maxLine;
    if (text && !record.tooLong) record.bytes = *text;
    return true;
}

bool RecordReader::skipLine()
{
    ++tooLong_;
    for (;;) {
        const auto end = buffer_.find('\n', begin_);
        const auto left = end == std::string::npos ? buffer_.size() : end + 1;
        position_.offset += left - begin_;
        begin_ = left;
        if (end != std::string::npos) return true;
        if (!fill()) return false;
    }
}

} // namespace pha
