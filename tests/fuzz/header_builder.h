// SPDX-License-Identifier: GPL-3.0-or-later
// Valid safetensors headers out of random choices: what the fuzzers start from and what the reader must accept.
#pragma once

#include "engine/run/safetensors.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace pha::test {

struct BuiltHeader {
    std::string text;
    std::int64_t dataBytes = 0;
    std::map<std::string, TensorEntry> tensors;
    std::map<std::string, std::string> metadata;
};

/// `choose(n)` gives a number in [0, n).
template <class Choose> BuiltHeader buildHeader(Choose&& choose)
{
    static const char* const dtypes[] = { "F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL" };
    const auto space = [&] { return std::string(choose(4) == 0 ? choose(3) : 0, ' '); };
    const auto list = [&](const std::vector<std::int64_t>& values) {
        std::string text = "[";
        for (const auto v : values) text.append(text.size() > 1 ? "," : "").append(space()).append(std::to_string(v));
        return text.append("]");
    };
    BuiltHeader built;
    std::vector<std::string> members;
    const auto count = choose(5);
    for (std::size_t i = 0; i < count; ++i) {
        TensorEntry entry;
        entry.dtype = dtypes[choose(10)];
        std::int64_t bytes = dtypeBytes(entry.dtype);
        for (auto rank = choose(4); rank > 0; --rank) {
            entry.shape.push_back(std::int64_t(choose(5)));
            bytes *= entry.shape.back();
        }
        entry.begin = built.dataBytes;
        built.dataBytes = entry.end = entry.begin + bytes;
        const auto name = "t" + std::to_string(i) + (choose(3) == 0 ? "\xc3\xa4.w" : "");
        std::vector<std::string> parts { "\"dtype\":\"" + entry.dtype + "\"",
            "\"shape\":" + space() + list(entry.shape), "\"data_offsets\":" + list({ entry.begin, entry.end }) };
        std::rotate(parts.begin(), parts.begin() + std::ptrdiff_t(choose(3)), parts.end());
        members.push_back("\"" + name + "\":{" + parts[0] + "," + space() + parts[1] + "," + parts[2] + "}");
        built.tensors[name] = entry;
    }
    if (choose(2) == 0) {
        built.metadata = { { "k", "v\n" } };
        members.push_back("\"__metadata__\":{\"k\":\"v\\n\"}");
    }
    if (!members.empty())
        std::rotate(members.begin(), members.begin() + std::ptrdiff_t(choose(members.size())), members.end());
    built.text = "{";
    for (const auto& member : members)
        built.text.append(built.text.size() > 1 ? "," : "").append(space()).append(member);
    built.text.append("}").append(choose(9), ' ');
    return built;
}

/// What an accepted header promises whatever it says: shapes fit ranges, and ranges cover the data once.
inline bool consistent(const std::map<std::string, TensorEntry>& tensors, std::uint64_t dataBytes)
{
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    for (const auto& [name, entry] : tensors) {
        unsigned __int128 bytes = static_cast<unsigned __int128>(dtypeBytes(entry.dtype));
        for (const auto d : entry.shape) {
            if (d < 0) return false;
            bytes *= static_cast<unsigned __int128>(d);
        }
        if (entry.begin < 0 || entry.end < entry.begin
            || bytes != static_cast<unsigned __int128>(entry.end - entry.begin))
            return false;
        ranges.emplace_back(entry.begin, entry.end);
    }
    std::sort(ranges.begin(), ranges.end());
    std::int64_t end = 0;
    for (const auto& range : ranges) {
        if (range.first != end) return false;
        end = range.second;
    }
    return std::uint64_t(end) == dataBytes;
}

} // namespace pha::test
