// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Reading and writing numbers and lists as text. Nothing here follows the process's locale: files and commands mean
/// the same everywhere.
namespace pha {

/// The whole of `text` (blanks around it aside) as a finite number; a leading '+' is allowed. Empty for anything else,
/// such as "1,5", "inf", "0x10" and numbers beyond the range of double.
std::optional<double> parseNumber(std::string_view text);
/// The whole of `text` as an integer. "1e4" and "10.0" count, "1.5" and values beyond 2^53 written with an exponent do
/// not.
std::optional<std::int64_t> parseInteger(std::string_view text);
/// Shortest text that reads back as the same double: "0.0003", "1e-16", "1048576".
std::string exactNumber(double value);

inline constexpr std::string_view byteOrderMark = "\xEF\xBB\xBF"; ///< of UTF-8

std::string_view trim(std::string_view text); ///< without blanks, tabs and line ends around it
/// The parts between `separator`s, trimmed, empty ones kept. Empty text has no parts.
std::vector<std::string> splitList(std::string_view text, char separator = ',');
std::string joinList(const std::vector<std::string>& parts, std::string_view separator = ", ");

/// `text` in double quotes, control characters escaped, invalid UTF-8 replaced, at most some 60 characters: foreign
/// input that has to stand in an error of one line.
std::string inQuotes(std::string_view text);

/// Number of single-character insertions, deletions, replacements and swaps of neighbours between two words, case
/// ignored.
std::size_t editDistance(std::string_view a, std::string_view b);
/// The name with the smallest edit distance to `name`, the first of equals; empty if there are none or all are so
/// different that nobody meant them.
std::string nearestName(std::string_view name, const std::vector<std::string>& known);

/// Without its fraction; the nearest integer that there is of one too large, 0 of NaN.
std::int64_t wholeNumber(double value);
std::string withThousands(std::int64_t value); ///< "1,234,567"
std::string compactCount(double count); ///< "512", "4.10 k", "1.85 M", "124.01 M", "9.04 G"
std::string formatBytes(double bytes); ///< powers of 1024: "512 B", "1.00 MiB", "15.6 GiB"
std::string formatDuration(double seconds); ///< "0.42 s", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"

} // namespace pha
