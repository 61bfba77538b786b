// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/catalogue.h"

#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/text.h"
#include "engine/data/prepare.h"
#include "engine/run/run_directory.h"

#include <algorithm>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr const char* builtIn =
#include "catalog.inc"
    ;

CatalogueEntry parseEntry(const Json& json)
{
    CatalogueEntry entry;
    for (auto [key, text] : { std::pair("name", &entry.name), std::pair("title", &entry.title),
             std::pair("about", &entry.about), std::pair("licence", &entry.licence),
             std::pair("homepage", &entry.homepage), std::pair("file", &entry.file) })
        *text = json.at(key).get<std::string>();
    entry.bytes = json.value("bytes", std::int64_t(0));
    entry.sha256 = json.value("sha256", std::string());
    entry.addresses = json.at("addresses").get<std::vector<std::string>>();
    return entry;
}

/// Names become names of files: nothing else may come of them.
bool isPlainName(const std::string& name)
{
    const auto plain = [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-'
            || c == '_';
    };
    return !name.empty() && name.size() < 100 && name[0] != '.' && std::all_of(name.begin(), name.end(), plain);
}

} // namespace

std::vector<CatalogueEntry> parseCatalogue(const std::string& json, const std::string& where)
{
    std::vector<CatalogueEntry> entries;
    try {
        const auto document = parseJsonStrict(json, where);
        for (const auto& each : document.at("datasets")) entries.push_back(parseEntry(each));
    } catch (const Json::exception& error) {
        throw DataError(where, "is no catalogue of corpora", "restore the file");
    }
    for (const auto& entry : entries) {
        if (!isPlainName(entry.name) || !isPlainName(entry.file))
            throw DataError(where, "has an entry with an impossible name " + inQuotes(entry.name), "restore the file");
        const bool digest =
            entry.sha256.size() == 64 && entry.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
        if (entry.addresses.empty() || entry.bytes < 0 || (!entry.sha256.empty() && !digest))
            throw DataError(where, "has a damaged entry " + inQuotes(entry.name), "restore the file");
    }
    return entries;
}

const std::vector<CatalogueEntry>& catalogue()
{
    static const auto& entries = *new auto(parseCatalogue(builtIn, "the catalogue"));
    return entries;
}

const CatalogueEntry* findInCatalogue(const std::string& name)
{
    for (const auto& entry : catalogue())
        if (entry.name == name) return &entry;
    return nullptr;
}

fs::path dataFolder() { return defaultRunsFolder().parent_path() / "data"; }

fs::path catalogueFile(const CatalogueEntry& entry) { return dataFolder() / entry.name / entry.file; }

DownloadState downloadState(const CatalogueEntry& entry)
{
    std::error_code problem;
    const auto file = catalogueFile(entry);
    const auto size = fs::file_size(file, problem);
    if (!problem && (entry.bytes == 0 || size == std::uintmax_t(entry.bytes))) return DownloadState::Present;
    auto part = file;
    part += ".part";
    return fs::exists(part, problem) ? DownloadState::Partial : DownloadState::Absent;
}

std::string placeByHand(const CatalogueEntry& entry)
{
    std::string facts;
    if (entry.bytes > 0) facts = std::to_string(entry.bytes) + " bytes";
    if (!entry.sha256.empty()) facts += (facts.empty() ? "SHA-256 " : ", SHA-256 ") + entry.sha256;
    return "place " + entry.file + (facts.empty() ? "" : " (" + facts + ")") + " from " + entry.addresses.front()
        + " at " + catalogueFile(entry).string();
}

std::vector<PreparedCorpus> preparedCorpora()
{
    std::vector<PreparedCorpus> found;
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(dataFolder(), problem)) {
        if (!isPreparedCorpus(entry.path())) continue;
        try {
            found.push_back({ entry.path().filename().string(), entry.path(), readCorpusCard(entry.path()) });
        } catch (const DataError&) {
            // A damaged one is no corpus; opening it by its path says what is wrong.
        }
    }
    std::sort(
        found.begin(), found.end(), [](const PreparedCorpus& a, const PreparedCorpus& b) { return a.name < b.name; });
    return found;
}

fs::path resolveCorpus(const std::string& name)
{
    if (const auto* entry = findInCatalogue(name)) {
        if (downloadState(*entry) == DownloadState::Present) return catalogueFile(*entry);
        throw DataError(name, "is not downloaded yet (" + formatBytes(double(entry->bytes)) + ")",
            "run 'pha data download " + name + "', or " + placeByHand(*entry));
    }
    std::error_code problem;
    // Also a link that leads nowhere: opening it says why.
    if (!name.empty() && fs::exists(fs::symlink_status(name, problem))) return name;
    if (isPlainName(name) && isPreparedCorpus(dataFolder() / name)) return dataFolder() / name;
    return {};
}

} // namespace pha
