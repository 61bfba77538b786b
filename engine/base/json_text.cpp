// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/json_text.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

namespace pha {

namespace {

constexpr std::size_t deepest = 64;
constexpr auto advice = "correct the file, or write it anew";

/// Counts brackets outside strings. Runs before the parser, whose tree would be destroyed recursively.
bool tooDeep(std::string_view text)
{
    std::size_t depth = 0;
    bool inString = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (inString) {
            if (c == '\\') ++i;
            if (c == '"') inString = false;
        } else if (c == '"') {
            inString = true;
        } else if (c == '{' || c == '[') {
            if (++depth > deepest) return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            --depth;
        }
    }
    return false;
}

std::string place(std::string_view text, std::size_t byte)
{
    const auto before = text.substr(0, std::min(byte > 0 ? byte - 1 : 0, text.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto newline = before.rfind('\n');
    const auto column = before.size() - (newline == std::string_view::npos ? 0 : newline + 1) + 1;
    return fmt::format("line {}, column {}", line, column);
}

} // namespace

Json parseJsonStrict(const std::string& text, const std::string& where)
{
    if (tooDeep(text))
        throw DataError(where, fmt::format("its JSON is nested more than {} levels deep", deepest), advice);
    std::vector<std::set<std::string>> open; // keys seen so far in each object that is open
    const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
        if (event == Json::parse_event_t::object_start) open.emplace_back();
        if (event == Json::parse_event_t::object_end) open.pop_back();
        if (event == Json::parse_event_t::key) {
            const auto key = parsed.get<std::string>();
            if (!open.back().insert(key).second)
                throw DataError(where, "key " + inQuotes(key) + " stands twice in one object", advice);
        }
        return true;
    };
    try {
        return Json::parse(text, watch);
    } catch (const nlohmann::json::parse_error& error) {
        throw DataError(where, "not valid JSON at " + place(text, error.byte), advice);
    } catch (const nlohmann::json::out_of_range&) {
        throw DataError(where, "a number in its JSON is too large", advice);
    }
}

} // namespace pha
