// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/capsule_format.h"

#include "engine/base/text.h"
#include "engine/run/run_directory.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

namespace pha {
namespace {

constexpr std::int64_t capsuleSchema = 1;
constexpr auto capsuleKind = "pha run";
constexpr std::size_t mostCapsuleFiles = 20000, longestCapsulePath = 99;
constexpr std::int64_t octalLimit = std::int64_t(1) << 33;

void putOctal(char* field, std::size_t digits, std::int64_t value)
{
    for (std::size_t i = digits; i > 0; --i, value >>= 3) field[i - 1] = char('0' + (value & 7));
}

unsigned tarSum(const std::array<char, tarBlock>& header)
{
    unsigned sum = 0;
    for (std::size_t i = 0; i < header.size(); ++i)
        sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
    return sum;
}

/// Octal digits, or big-endian bytes after a first one of 0x80; -1 for anything else.
std::int64_t tarNumber(std::string_view field)
{
    std::int64_t value = 0;
    if (static_cast<unsigned char>(field[0]) == 0x80) {
        for (const char c : field.substr(1)) {
            if (value >> 54) return -1;
            value = value << 8 | static_cast<unsigned char>(c);
        }
        return value;
    }
    field = field.substr(0, field.find_first_of(std::string_view(" \0", 2)));
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
    return error == std::errc() && end == field.data() + field.size() && value >= 0 ? value : -1;
}

bool plainName(const std::string& name)
{
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_'
            || c == '-';
    };
    return !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), plain);
}

/// Only what a run consists of: no path that leads elsewhere passes, nor one that another program would act on.
bool belongsToARun(const std::string& path)
{
    const auto parts = splitList(path, '/');
    if (parts.empty() || path.size() > longestCapsulePath || joinList(parts, "/") != path
        || !std::all_of(parts.begin(), parts.end(), plainName))
        return false;
    if (parts.size() == 1)
        return path == "run.json" || path == "about.json" || path == "metrics.jsonl" || path == "tokenizer.model";
    if (parts[0] == "averages") {
        const auto step = checkpointStep(fs::path(parts.back()).stem().string());
        return step && path == RunDirectory(fs::path()).averagedWeights(*step).string();
    }
    if (parts[0] != "checkpoints") return false;
    if (parts.size() == 2) return parts[1] == "best" || parts[1] == "latest" || parts[1] == "before_alert";
    const auto step = checkpointStep(parts[1]);
    return parts.size() == 3 && step && checkpointName(*step) == parts[1];
}

bool isDigest(const std::string& text)
{
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

CapsuleFile fileFromJson(const Json& item)
{
    return { item.at("path").get<std::string>(), item.at("bytes").get<std::int64_t>(),
        item.at("sha256").get<std::string>() };
}

} // namespace

DataError damagedCapsule(const fs::path& where, const std::string& reason)
{
    return { where.string(), reason, "ask for the file again, or have the run exported anew" };
}

std::int64_t Capsule::bytes() const
{
    std::int64_t sum = 0;
    for (const auto& file : files) sum += file.bytes;
    return sum;
}

std::array<char, tarBlock> tarHeader(const std::string& path, std::int64_t bytes, std::int64_t time)
{
    std::array<char, tarBlock> header {};
    std::memcpy(header.data(), path.data(), std::min(path.size(), longestCapsulePath));
    putOctal(header.data() + 100, 7, 0644);
    putOctal(header.data() + 108, 7, 0);
    putOctal(header.data() + 116, 7, 0);
    if (bytes < octalLimit) {
        putOctal(header.data() + 124, 11, bytes);
    } else {
        header[124] = char(0x80);
        for (int i = 0; i < 8; ++i) header[std::size_t(135 - i)] = char(bytes >> (8 * i) & 0xff);
    }
    putOctal(header.data() + 136, 11, time);
    header[156] = '0';
    std::memcpy(header.data() + 257, "ustar\00000", 8);
    putOctal(header.data() + 148, 6, tarSum(header));
    header[155] = ' ';
    return header;
}

std::int64_t readTarHeader(const std::array<char, tarBlock>& header, const std::string& path, const fs::path& where)
{
    const std::string_view all(header.data(), header.size());
    if (tarNumber(all.substr(148, 8)) != std::int64_t(tarSum(header)))
        throw damagedCapsule(where, "is no capsule: where " + path + " should begin is no header of a tar archive");
    const auto name = all.substr(0, std::min(all.find('\0'), std::size_t(100)));
    if (name != path || header[345] != '\0')
        throw damagedCapsule(where, "holds " + inQuotes(name) + " where " + path + " should be");
    if (header[156] != '0' && header[156] != '\0')
        throw damagedCapsule(where, "holds " + path + " as something else than a regular file");
    const auto bytes = tarNumber(all.substr(124, 12));
    if (bytes < 0) throw damagedCapsule(where, "gives no size for " + path);
    return bytes;
}

Json capsuleToJson(const Capsule& capsule)
{
    auto files = Json::array();
    for (const auto& file : capsule.files)
        files.push_back({ { "path", file.path }, { "bytes", file.bytes }, { "sha256", file.sha256 } });
    return { { "schema", capsuleSchema }, { "kind", capsuleKind }, { "name", capsule.name },
        { "created", capsule.created }, { "files", std::move(files) } };
}

Capsule capsuleFromJson(const Json& json, const fs::path& where)
{
    Capsule capsule;
    try {
        if (json.at("kind") != capsuleKind) throw damagedCapsule(where, "is no capsule of a run");
        if (json.at("schema") != capsuleSchema)
            throw DataError(where.string(), "is a capsule of a newer PHA Studio", "update this one to open it");
        capsule.name = json.at("name").get<std::string>();
        capsule.created = json.at("created").get<std::string>();
        const auto& files = json.at("files");
        if (!files.is_array() || files.size() > mostCapsuleFiles)
            throw damagedCapsule(where, "lists no files, or too many");
        for (const auto& item : files) capsule.files.push_back(fileFromJson(item));
    } catch (const nlohmann::json::exception&) {
        throw damagedCapsule(
            where, std::string("has a ") + capsuleListName + " that lists no files with sizes and hashes");
    }
    std::set<std::string> seen;
    for (const auto& file : capsule.files) {
        if (!belongsToARun(file.path))
            throw damagedCapsule(where, "names " + inQuotes(file.path) + ", which is no file of a run");
        if (!seen.insert(file.path).second) throw damagedCapsule(where, "names " + file.path + " twice");
        if (file.bytes < 0 || !isDigest(file.sha256))
            throw damagedCapsule(where, "gives no size or hash for " + file.path);
    }
    if (!seen.contains("run.json")) throw damagedCapsule(where, "has no run.json");
    return capsule;
}

} // namespace pha
