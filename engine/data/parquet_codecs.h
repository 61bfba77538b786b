// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/parquet_meta.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pha {

/// Unpacks a page (Compression.md in apache/parquet-format) into `out`, which it must fill to the last byte. Throws
/// DataError naming `where`: damaged; a codec that is not read, or whose library this build lacks.
void unpackPage(ParquetCodec codec, std::string_view packed, std::span<char> out, const std::string& where);

/// CRC-32 of a page as it lies in the file; null if this build lacks zlib.
std::optional<std::uint32_t> pageSum(std::string_view packed);

/// Snappy's raw format (format_description.txt in google/snappy); false if `packed` is none of exactly that size.
bool unpackSnappy(std::string_view packed, std::span<char> out);

} // namespace pha
