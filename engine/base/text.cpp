// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/text.h"

#include "engine/base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace pha {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; }

std::string_view withoutPlus(std::string_view text)
{
    if (text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+') text.remove_prefix(1);
    return text;
}

/// Three significant digits below 1000, as tables of sizes have them.
std::string threeDigits(double value)
{
    return fmt::format("{:.{}f}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

/// JSON escapes only U+0000 to U+001F, but a terminal also acts on U+007F to U+009F.
std::string withoutControls(const std::string& text)
{
    std::string clean;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
        if (byte == 0x7F)
            clean += "\\u007f";
        else if (byte == 0xC2 && next >= 0x80 && next < 0xA0)
            clean += fmt::format("\\u{:04x}", text[++i] & 0xFF);
        else
            clean += text[i];
    }
    return clean;
}

} // namespace

std::string_view trim(std::string_view text)
{
    constexpr std::string_view blanks = " \t\r\n";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::optional<double> parseNumber(std::string_view text)
{
    text = withoutPlus(trim(text));
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
    return value;
}

std::optional<std::int64_t> parseInteger(std::string_view text)
{
    text = withoutPlus(trim(text));
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
    const auto number = parseNumber(text);
    constexpr double exact = 9007199254740992; // 2^53: above it doubles skip integers
    if (!number || std::abs(*number) > exact || *number != std::floor(*number)) return {};
    return std::int64_t(*number);
}

std::string exactNumber(double value) { return fmt::format("{}", value); }

std::vector<std::string> splitList(std::string_view text, char separator)
{
    std::vector<std::string> parts;
    if (trim(text).empty()) return parts;
    for (std::size_t from = 0; from <= text.size();) {
        const auto to = std::min(text.find(separator, from), text.size());
        parts.emplace_back(trim(text.substr(from, to - from)));
        from = to + 1;
    }
    return parts;
}

std::string joinList(const std::vector<std::string>& parts, std::string_view separator)
{
    return fmt::format("{}", fmt::join(parts, separator));
}

std::string inQuotes(std::string_view text)
{
    constexpr std::size_t longest = 60;
    auto whole = withoutControls(
        Json(std::string(text.substr(0, 4 * longest))).dump(-1, ' ', false, Json::error_handler_t::replace));
    if (whole.size() <= longest) return whole;
    std::size_t cut = longest - 4;
    while (cut > 1 && (static_cast<unsigned char>(whole[cut]) & 0xC0) == 0x80) --cut; // not inside a character
    return whole.substr(0, cut) + "...\"";
}

std::size_t editDistance(std::string_view a, std::string_view b)
{
    // Three rows of the usual table: the swap of neighbours looks back two rows.
    std::array<std::vector<std::size_t>, 3> rows;
    for (auto& row : rows) row.resize(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        auto& row = rows[i % 3];
        const auto& above = rows[(i - 1) % 3];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = std::min({ above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1) });
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = std::min(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[a.size() % 3][b.size()];
}

std::string nearestName(std::string_view name, const std::vector<std::string>& known)
{
    name = name.substr(0, 256); // the table is quadratic, and nothing we know is that long
    std::string best;
    std::size_t least = 0;
    for (const auto& candidate : known) {
        const auto distance = editDistance(name, candidate);
        if (best.empty() || distance < least) {
            best = candidate;
            least = distance;
        }
    }
    // Names that share less than this are no slip of the hand.
    return 5 * least < 3 * std::max(name.size(), best.size()) ? best : std::string();
}

std::int64_t wholeNumber(double value)
{
    constexpr double beyond = 9223372036854775808.0; // 2^63, the first that does not fit
    if (std::isnan(value)) return 0;
    if (value >= beyond) return std::numeric_limits<std::int64_t>::max();
    return value < -beyond ? std::numeric_limits<std::int64_t>::min() : std::int64_t(value);
}

std::string withThousands(std::int64_t value)
{
    auto digits = fmt::format("{}", value);
    const std::size_t first = value < 0 ? 1 : 0;
    for (auto at = std::int64_t(digits.size()) - 3; at > std::int64_t(first); at -= 3)
        digits.insert(std::size_t(at), 1, ',');
    return digits;
}

std::string compactCount(double count)
{
    if (!std::isfinite(count)) return exactNumber(count);
    if (std::abs(count) < 1000) return exactNumber(std::round(count));
    constexpr std::array units { "k", "M", "G", "T" };
    std::size_t unit = 0;
    count /= 1000;
    while (unit + 1 < units.size() && std::abs(count) >= 999.995) {
        count /= 1000;
        ++unit;
    }
    return fmt::format("{:.2f} {}", count, units[unit]);
}

std::string formatBytes(double bytes)
{
    if (!std::isfinite(bytes)) return exactNumber(bytes);
    if (std::abs(bytes) < 1024) return fmt::format("{:.0f} B", bytes);
    constexpr std::array units { "KiB", "MiB", "GiB", "TiB", "PiB" };
    std::size_t unit = 0;
    bytes /= 1024;
    while (unit + 1 < units.size() && std::abs(bytes) >= 999.5) {
        bytes /= 1024;
        ++unit;
    }
    return threeDigits(bytes) + " " + units[unit];
}

std::string formatDuration(double seconds)
{
    if (!std::isfinite(seconds)) return exactNumber(seconds);
    if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
    if (seconds >= 1e15) return fmt::format("{:.3g} s", seconds); // beyond what an integer of seconds holds safely
    const auto whole = std::int64_t(std::llround(seconds));
    const auto two = [](std::int64_t big, const char* bigUnit, std::int64_t small, const char* smallUnit) {
        return small ? fmt::format("{} {} {} {}", big, bigUnit, small, smallUnit) : fmt::format("{} {}", big, bigUnit);
    };
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return two(whole / 60, "min", whole % 60, "s");
    const auto minutes = (whole + 30) / 60;
    if (minutes < 1440) return two(minutes / 60, "h", minutes % 60, "min");
    const auto hours = (whole + 1800) / 3600;
    return two(hours / 24, "d", hours % 24, "h");
}

} // namespace pha
