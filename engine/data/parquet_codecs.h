// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/parquet_meta.h"

#include <span>
#include <string>
#include <string_view>

namespace pha {

/// Unpacks a page (Compression.md in apache/parquet-format) into `out`, which it must fill to the last byte. Throws
/// DataError naming `where`: damaged; a codec that is not read, or whose library this build lacks.
void unpackPage(ParquetCodec codec, std::string_view packed, std::span<char> out, const std::string& where);

/// Snappy's raw format (format_description.txt in google/snappy); false if `packed` is none of exactly that size.
bool unpackSnappy(std::string_view packed, std::span<char> out);

} // namespace pha
