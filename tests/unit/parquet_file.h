// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "tests/unit/packed.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pha {

/// The smallest Parquet file: one row group, one dictionary of one text, one page that names it `values` times. Any
/// number in it may lie.
struct ParquetFile {
    std::string value = "abc";
    std::int64_t rows = 1, values = 1; ///< of the row group, of its page
    std::int64_t pageSize = -1; ///< unpacked, of the dictionary; negative: as it is
    std::int64_t encoding = 8, offset = 4; ///< of the page, of the row group
    int emptyPages = 0, groups = 1; ///< before the page; row groups of the same pages
    std::optional<std::uint32_t> sumsXor = {}; ///< pages have checksums; other than 0: wrong ones, of the last page

    std::string bytes() const
    {
        const auto entry = plain(value);
        const std::string indices = '\0' + varint(std::uint64_t(values) << 1); // of no bits; a run
        const auto sum = [this](const std::string& body, bool last) {
            return sumsXor ? std::optional(packed::crc32(body) ^ (last ? *sumsXor : 0)) : std::nullopt;
        };
        auto pages = page(2, pageSize < 0 ? std::int64_t(entry.size()) : pageSize, entry, 1, 0, sum(entry, false));
        for (int i = 0; i < emptyPages; ++i) pages += page(0, 0, "", 0, 0);
        const auto last = page(0, std::int64_t(indices.size()), indices, values, encoding, sum(indices, true));
        return wrapped(pages + last, rows, offset, groups);
    }

    /// A right file of plain pages, a hundred texts in each.
    static std::string of(const std::vector<std::string>& texts)
    {
        std::string pages;
        for (std::size_t at = 0; at < texts.size(); at += 100) {
            const auto end = std::min(at + 100, texts.size());
            std::string body;
            for (auto i = at; i < end; ++i) body += plain(texts[i]);
            pages += page(0, std::int64_t(body.size()), body, std::int64_t(end - at), 0);
        }
        return wrapped(pages, std::int64_t(texts.size()), 4);
    }

private:
    static std::string varint(std::uint64_t value)
    {
        std::string bytes;
        for (; value > 127; value >>= 7) bytes += char(value | 128);
        return bytes + char(value);
    }
    static std::string plain(const std::string& value) { return packed::little(value.size(), 4) + value; }
    static std::string text(const std::string& value) { return varint(value.size()) + value; }
    /// A field `step` numbers behind the one before.
    static std::string field(int step, int type, const std::string& value) { return char(step << 4 | type) + value; }
    static std::string number(int step, std::int64_t value)
    {
        return field(step, 6, varint(std::uint64_t(value) << 1 ^ std::uint64_t(value >> 63)));
    }
    static std::string page(int type, std::int64_t size, const std::string& body, std::int64_t values,
        std::int64_t encoding, std::optional<std::uint32_t> sum = {})
    {
        const auto own = number(1, values) + number(1, encoding) + '\0';
        return number(1, type) + number(1, size) + number(1, std::int64_t(body.size()))
            + (sum ? number(1, std::int32_t(*sum)) : "") + field(type + (sum ? 1 : 2), 12, own) + '\0' + body;
    }
    static std::string wrapped(const std::string& pages, std::int64_t rows, std::int64_t offset, int groups = 1)
    {
        const auto size = std::int64_t(pages.size());
        const auto column = number(1, 6) + field(1, 9, "\x15\x10") + field(1, 9, "\x18" + text("text")) + number(1, 0)
            + number(1, rows) + number(1, size) + number(1, size) + number(2, offset) + '\0';
        const auto chunk = number(2, 0) + field(1, 12, column) + '\0';
        const auto group = field(1, 9, "\x1C" + chunk) + number(1, 0) + number(1, rows) + '\0';
        const auto root = field(4, 8, text("schema")) + number(1, 1) + '\0';
        const auto leaf = number(1, 6) + number(2, 0) + field(1, 8, text("text")) + '\0';
        auto list = '\xFC' + varint(std::uint64_t(groups));
        for (int i = 0; i < groups; ++i) list += group;
        const auto footer =
            number(1, 1) + field(1, 9, "\x2C" + root + leaf) + number(1, rows) + field(1, 9, list) + '\0';
        return "PAR1" + pages + footer + packed::little(footer.size(), 4) + "PAR1";
    }
};

} // namespace pha
