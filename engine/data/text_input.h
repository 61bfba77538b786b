// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/archive.h"
#include "engine/data/byte_source.h"
#include "engine/data/parquet_rows.h"
#include "engine/data/text_names.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pha {

/// Lines: JSON objects, one a line, with a field that holds the text. Rows: of a table with such a column (Parquet).
enum class TextKind : std::uint8_t { Plain, Lines, WikiText, Rows };
/// One field or column alone is the text.
constexpr bool hasFields(TextKind kind) { return kind == TextKind::Lines || kind == TextKind::Rows; }

constexpr const char* usualTextField = "text";

/// A file that the corpus is read from. `given`: it belongs to that split as a whole.
struct TextFile {
    std::filesystem::path path;
    std::uint64_t size = 0;
    std::int64_t modified = 0; ///< nanoseconds
    std::int64_t changed = 0; ///< the same of content, name and rights: no program can set it back
    std::optional<TextSplit> given;
    std::string textField = usualTextField; ///< DataConfig::textField
};

/// The files behind some paths: regular files of any name; of folders (at any depth, links not followed) those with
/// texts or packed texts, in the order of their names. Files named alike but for train, valid (validation, val, dev)
/// and test, and for the number of a shard, are the splits of one corpus; the sisters of one of WikiText's files belong
/// to it. Validation and test files come first. Throws DataError if there is nothing to read.
std::vector<TextFile> findTexts(
    const std::vector<std::filesystem::path>& paths, const std::string& textField = usualTextField);

/// True if some of the files are shards of WikiText that are read as one text.
bool joinsShards(const std::vector<TextFile>& files); ///< throws DataError

TextFile statFile(const std::filesystem::path& path); ///< throws DataError unless it is a regular file

/// The texts in files and in the archives among them, one after the other.
class TextWalker {
public:
    /// `taken` counts the bytes read from files. Both outlive the walker.
    TextWalker(const std::vector<TextFile>& files, std::atomic<std::uint64_t>* taken);

    bool next(); ///< goes to the next text; false at the end
    bool seek(std::size_t file, std::size_t text); ///< goes there; false if there is no such text

    PeekedSource& bytes() { return *bytes_; } ///< of a text that is no table
    ParquetRows& rows() { return *rows_; } ///< of TextKind::Rows
    TextKind kind() const { return kind_; }
    std::optional<TextSplit> given() const { return given_; }
    const std::string& textField() const { return files_[file_].textField; }
    std::size_t file() const { return file_; } ///< index into the files
    std::size_t text() const { return text_; } ///< index of the text in that file

private:
    /// An archive that is read from front to back.
    struct Tar {
        std::unique_ptr<Archive> archive;
        TextFamilies families; ///< of all its names, or of those so far
        bool known = false; ///< families is complete
        std::vector<std::string> undecided; ///< names read with no split that names behind them may still give one
    };

    bool openFile();
    void openTable();
    void openZip(const TextFile& file);
    void decide(Tar& tar, const std::string& name);
    void checkSplits(const Tar& tar) const;
    bool nextMember();
    void open(std::unique_ptr<PeekedSource> bytes, const std::string& name);

    const std::vector<TextFile>& files_;
    std::atomic<std::uint64_t>* taken_;
    std::size_t file_ = 0, text_ = 0, opened_ = 0; ///< opened_: files that were opened
    std::vector<std::pair<ZipEntry, std::optional<TextSplit>>> entries_; ///< of the current file if it is a zip file
    std::size_t entry_ = 0;
    std::vector<Tar> archives_; ///< around the current text, outermost first
    std::unique_ptr<PeekedSource> bytes_;
    std::unique_ptr<ParquetRows> rows_;
    TextKind kind_ = TextKind::Plain;
    std::optional<TextSplit> given_;
};

} // namespace pha
