// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/text_input.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

/// A stretch of a text that goes into one split: an article, a line of JSON, a row of a table, or whole paragraphs (of
/// a text without paragraphs whole lines; of a line far too long a part of it, cut before a space).
struct TextRecord {
    std::string bytes; ///< as in the file
    TextKind kind = TextKind::Plain;
    std::string field = {}; ///< of a line of JSON: the one that holds the text
    std::optional<TextSplit> given;
    bool first = false, last = false; ///< of its text
    bool cut = false; ///< ends within a line
    std::int64_t tooLong = 0; ///< lines of JSON and rows above 16 MiB that stood before it: left out
    bool empty = false; ///< a row without a text
};

/// Where the next record begins.
struct TextPosition {
    std::size_t file = 0, text = 0;
    std::uint64_t offset = 0; ///< in the unpacked text; of a table the number of rows before
};

/// True if `head` begins with a title of WikiText, " = Title = ", after blank lines.
bool beginsWithTitle(std::string_view head);

/// Cuts texts into records, with at most some 20 MB in memory whatever the texts are like. Where a record ends depends
/// on nothing but where it begins, so that reading can go on from any position.
class RecordReader {
public:
    /// `blockBytes`: size that records of plain text aim at.
    RecordReader(const std::vector<TextFile>& files, std::uint64_t blockBytes, std::atomic<std::uint64_t>* taken);

    bool next(TextRecord& record); ///< false at the end; a record without bytes only reports what was left out
    void seek(const TextPosition& position);
    const TextPosition& position() const { return position_; } ///< of what `next` returns next

private:
    std::size_t cutPlain(bool& within);
    std::size_t cutArticle();
    std::size_t cutLine();
    bool takeRow(TextRecord& record);
    bool fill(); ///< reads more; false at the end of the text
    bool skipLine();
    std::size_t held() const { return buffer_.size() - begin_; }

    TextWalker walker_;
    std::uint64_t target_;
    TextPosition position_;
    bool open_ = false, ended_ = false;
    std::string buffer_;
    std::size_t begin_ = 0;
    std::int64_t tooLong_ = 0;
};

/// Size of the records of plain text for files of that size together: small texts are cut finely, so that each split
/// gets its share.
std::uint64_t blockBytesFor(const std::vector<TextFile>& files);

} // namespace pha
