// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/document.h"

#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/base/utf8.h"
#include "engine/data/tokenizer.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace pha {

namespace {

/// True if nothing has to be looked at closely: ASCII without NUL and "\r". Eight bytes at a time.
bool isPlainAscii(std::string_view text)
{
    std::uint64_t high = 0;
    std::size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + i, 8);
        high |= word;
    }
    for (; i < text.size(); ++i) high |= static_cast<unsigned char>(text[i]);
    return (high & 0x8080808080808080u) == 0 && text.find('\0') == text.npos && text.find('\r') == text.npos;
}

std::string clean(std::string text, bool first, TextRepairs& repairs)
{
    if (isPlainAscii(text)) return text;
    std::string_view rest = text;
    if (first && rest.starts_with(byteOrderMark)) rest.remove_prefix(byteOrderMark.size());
    if (rest.find('\0') == rest.npos && rest.find('\r') == rest.npos && validUtf8(rest))
        return rest.size() == text.size() ? text : std::string(rest);
    std::string lines;
    lines.reserve(rest.size() + 1);
    for (std::size_t i = 0; i < rest.size(); ++i) {
        if (rest[i] == '\r') {
            ++repairs.lineEnds;
            if (i + 1 == rest.size() || rest[i + 1] != '\n') lines += '\n';
        } else if (rest[i] == '\0') {
            ++repairs.nulBytes;
            lines += replacementCharacter;
        } else {
            lines += rest[i];
        }
    }
    return validUtf8(lines) ? lines : repairUtf8(lines, repairs.invalidUtf8);
}

/// A document by itself ends with a blank line.
void close(Document& document, std::string text)
{
    document.text = std::move(text);
    if (document.text.empty()) return;
    document.ends = true;
    document.added = document.text.back() != '\n' ? 2 : 1;
    document.text.append(std::size_t(document.added), '\n');
}

/// The number in "\\uXXXX" at the beginning of some JSON; 0 if there is none.
unsigned escapedUnit(std::string_view json)
{
    unsigned unit = 0;
    if (json.size() < 6 || !json.starts_with("\\u")) return 0;
    const auto* end = json.data() + 6;
    return std::from_chars(json.data() + 2, end, unit, 16).ptr == end ? unit : 0;
}

/// Halves of surrogate pairs by themselves, which other programs write, become "\\ufffd".
std::string pairSurrogates(std::string_view json, std::int64_t& repairs)
{
    std::string paired;
    paired.reserve(json.size());
    while (!json.empty()) {
        const auto unit = escapedUnit(json);
        const bool first = unit >= 0xD800 && unit < 0xDC00, second = unit >= 0xDC00 && unit < 0xE000;
        const auto next = first ? escapedUnit(json.substr(6)) : 0;
        const bool pair = next >= 0xDC00 && next < 0xE000;
        const auto length = pair ? 12 : unit > 0 ? 6 : std::min<std::size_t>(json[0] == '\\' ? 2 : 1, json.size());
        if ((first && !pair) || second)
            paired += "\\ufffd", ++repairs;
        else
            paired += json.substr(0, length);
        json.remove_prefix(length);
    }
    return paired;
}

/// A line of JSON, discarded if it is none; null if it is blank.
std::optional<Json> parsedLine(const TextRecord& record, TextRepairs& repairs)
{
    std::string_view line = record.bytes;
    if (record.first && line.starts_with(byteOrderMark)) line.remove_prefix(byteOrderMark.size());
    if (line.find_first_not_of(" \t\r\n") == line.npos) return {};
    std::string repaired;
    if (!validUtf8(line)) line = repaired = repairUtf8(line, repairs.invalidUtf8);
    auto json = Json::parse(line, nullptr, false);
    if (!json.is_discarded()) return json;
    std::int64_t halves = 0;
    const auto paired = pairSurrogates(line, halves);
    if (halves > 0) json = Json::parse(paired, nullptr, false);
    if (!json.is_discarded()) repairs.invalidUtf8 += halves;
    return json;
}

/// The value of the field in a line of JSON, cleaned; empty if there is none. Blank lines are none, and no mistake.
std::string textOfRecord(const TextRecord& record, TextRepairs& repairs)
{
    const auto object = parsedLine(record, repairs);
    if (!object) return {};
    const auto found = object->is_object() ? object->find(record.field) : object->end();
    if (!object->is_object() || found == object->end() || !found->is_string()) {
        ++repairs.badRecords;
        return {};
    }
    return clean(found->get<std::string>(), true, repairs);
}

} // namespace

std::int64_t countWords(std::string_view text, bool open)
{
    std::int64_t words = 0;
    bool blank = true;
    for (const char c : text) {
        const bool now = isBlank(c);
        words += (now && !blank) + (c == '\n');
        blank = now;
    }
    if (text.empty() || text.back() == '\n') return words;
    return words + !blank + !open;
}

std::vector<std::string> fieldsOf(const TextRecord& record)
{
    TextRepairs repairs;
    std::vector<std::string> names;
    const auto object = parsedLine(record, repairs).value_or(Json());
    if (object.is_object())
        for (const auto& item : object.items()) names.push_back(item.key());
    return names;
}

Document makeDocument(TextRecord record)
{
    Document document;
    document.given = record.given;
    document.record = hasFields(record.kind);
    document.whole = record.kind != TextKind::Plain || (record.first && record.last);
    document.repairs.cutLines = record.cut;
    document.repairs.badRecords = record.empty;
    document.repairs.longRecords = record.tooLong;
    if (record.kind == TextKind::Lines) {
        close(document, textOfRecord(record, document.repairs));
    } else if (record.kind == TextKind::Rows) {
        close(document, clean(std::move(record.bytes), true, document.repairs));
    } else {
        document.text = clean(std::move(record.bytes), record.first, document.repairs);
        document.added = record.last && !document.text.empty() && document.text.back() != '\n';
        document.text.append(std::size_t(document.added), '\n');
        document.ends = record.last && record.kind == TextKind::Plain && !document.text.empty();
    }
    document.open = !document.text.empty() && document.text.back() != '\n';
    document.words = countWords(document.text, document.open);
    for (const char c : document.text) document.control += c >= 0 && c < ' ' && !isBlank(c);
    document.control += document.repairs.nulBytes;
    document.digest = sha256Hex(document.text);
    std::from_chars(document.digest.data(), document.digest.data() + 16, document.key, 16);
    return document;
}

} // namespace pha
