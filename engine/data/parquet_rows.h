// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/posix_file.h"
#include "engine/data/byte_source.h"
#include "engine/data/parquet_meta.h"
#include "engine/data/parquet_values.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

bool looksLikeParquet(std::string_view head); ///< the first bytes of a file

/// A column of texts in a Parquet file, row by row, where it lies. In memory are the footer's places of the row groups,
/// one page and one dictionary, each of at most 256 MiB. Everything throws as a ByteSource does.
class ParquetRows {
public:
    /// `taken` (if not null) counts the bytes of the file that lie behind, other columns among them.
    ParquetRows(const std::filesystem::path& file, const std::string& column, std::atomic<std::uint64_t>* taken);

    /// Goes to the next row; false at the end. `text` is valid until the next call, and null if the row has none.
    bool next(std::optional<std::string_view>& text);
    /// Leaves out that many rows: whole row groups and pages are not read. Throws if there are fewer.
    void skip(std::uint64_t rows);

private:
    void readFooter(const std::string& column);
    bool toPage(std::uint64_t& skipped);
    bool toChunk(std::uint64_t& skipped);
    ParquetPage readHeader();
    void readDictionary(const ParquetPage& page);
    void readData(const ParquetPage& page);
    std::string readBody(const ParquetPage& page) const;
    std::string unpacked(const ParquetPage& page, std::string body, std::size_t from);
    std::string read(std::uint64_t at, std::uint64_t size) const;
    void checkBytes(std::uint64_t made) const;
    void pass(std::uint64_t at);
    [[noreturn]] void damaged(const std::string& how) const;

    std::string where_;
    PosixFile file_;
    std::atomic<std::uint64_t>* taken_;
    std::uint64_t size_ = 0, passed_ = 0;
    ParquetColumn column_;
    std::size_t chunk_ = 0; ///< the next one
    std::uint64_t at_ = 0, chunkEnd_ = 0; ///< of the current one: its next page, its end
    std::uint64_t chunkLeft_ = 0, pageLeft_ = 0; ///< rows
    std::uint64_t packedBytes_ = 0, unpackedBytes_ = 0, madeBytes_ = 0; ///< for checkExpansion
    ParquetCodec codec_ = ParquetCodec::None;
    std::string page_, levelBytes_; ///< the current page's
    ParquetDictionary dictionary_;
    HybridNumbers levels_;
    std::unique_ptr<ParquetTexts> texts_;
};

/// Rows that are the lines of a text, as Hugging Face ships WikiText: the text as it was, over all of its shards. What
/// it lacks are the blanks of blank lines, which come back as one.
std::unique_ptr<ByteSource> parquetLines(
    std::vector<std::filesystem::path> shards, const std::string& column, std::atomic<std::uint64_t>* taken);

} // namespace pha
