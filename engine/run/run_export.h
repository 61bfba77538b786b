// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

/// A run's metrics in other tools' formats. Both create `folder` and replace their own files in it; they return what
/// they wrote, and `badLines` receives the number of lines that are damaged and left out. Throw CheckpointError if
/// `run` is none, DataError if it has no metrics, IoError.

/// steps.csv, evaluations.csv, mixing.csv, recall.csv, samples.csv: RFC 4180, one header line, one row an event (an
/// event's bin or layer and branch). Values that are not finite are empty. Files without rows are left out.
std::vector<std::filesystem::path> exportCsv(
    const std::filesystem::path& run, const std::filesystem::path& folder, std::int64_t* badLines = nullptr);

/// One events.out.tfevents file: scalars loss/*, eval/*, mixing/*, recall/*, speed and memory, samples as text. Times
/// are the run's start plus active seconds.
std::vector<std::filesystem::path> exportTensorBoard(
    const std::filesystem::path& run, const std::filesystem::path& folder, std::int64_t* badLines = nullptr);

std::string csvCell(const std::string& cell); ///< RFC 4180: in quotes where it needs them
std::string csvRow(const std::vector<std::string>& cells); ///< RFC 4180, with the line's end

/// CRC-32C (Castagnoli) of RFC 3720, as TFRecord uses it.
std::uint32_t crc32c(std::string_view bytes);

} // namespace pha
