// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a Parquet file says about itself (src/main/thrift/parquet.thrift in apache/parquet-format, whose names stand in
/// the comments). Every number has been checked against the file when it gets here.
namespace pha {

enum class ParquetCodec : std::uint8_t { None, Snappy, Gzip, Lzo, Brotli, Lz4, Zstd, Lz4Raw }; ///< CompressionCodec

/// The column's part of a RowGroup: pages that lie one after the other.
struct ParquetChunk {
    std::uint64_t begin = 0, end = 0; ///< bytes of the file
    std::uint64_t rows = 0;
    ParquetCodec codec = ParquetCodec::None;
};

struct ParquetColumn {
    bool optional = false; ///< rows may lack a value
    std::vector<ParquetChunk> chunks;
};

/// The column `name` in FileMetaData. `dataEnd`: where the file's pages must have ended. Throws DataError naming
/// `where`: no such column, or none that holds one text a row; encrypted; damaged.
ParquetColumn readParquetFooter(
    std::string_view footer, std::uint64_t dataEnd, const std::string& name, const std::string& where);

/// PageHeader with its DataPageHeader, DataPageHeaderV2 or DictionaryPageHeader.
struct ParquetPage {
    enum class Type : std::uint8_t { Data, Index, Dictionary, DataV2 };

    Type type = Type::Data;
    std::size_t headerBytes = 0;
    std::uint64_t packed = 0, size = 0; ///< bytes behind the header, as they lie there and unpacked
    std::uint64_t values = 0; ///< nulls among them
    int encoding = 0, levelEncoding = 0; ///< Encoding
    std::uint64_t repetitionBytes = 0, definitionBytes = 0; ///< of the levels of version 2
    bool compressed = true;
    std::optional<std::uint32_t> sum = {}; ///< CRC-32 of the bytes behind the header, if the writer left one
};

/// The page that begins with these bytes; null if they are too few or no header.
std::optional<ParquetPage> readParquetPage(std::string_view bytes);

} // namespace pha
