// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/corpus_card.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <utility>

namespace pha {

namespace {

constexpr int cardSchema = 1;

/// The one list of repairs: key in files, words for people.
template <class Self, class Visit> void visitRepairs(Self& repairs, Visit&& visit)
{
    visit("invalid_utf8", "invalid characters replaced", repairs.invalidUtf8);
    visit("nul_bytes", "NUL bytes replaced", repairs.nulBytes);
    visit("line_ends", "line ends changed to \\n", repairs.lineEnds);
    visit("cut_lines", "cuts in lines that were too long", repairs.cutLines);
    visit("bad_records", "records without a text left out", repairs.badRecords);
    visit("long_records", "records above 16 MiB left out", repairs.longRecords);
    visit("duplicates", "duplicate documents left out", repairs.duplicates);
}

template <class Self, class Visit> void visitSplit(Self& split, Visit&& visit)
{
    visit("documents", split.documents);
    visit("tokens", split.tokens);
    visit("words", split.words);
    visit("bytes", split.bytes);
}

} // namespace

void TextRepairs::add(const TextRepairs& other)
{
    invalidUtf8 += other.invalidUtf8;
    nulBytes += other.nulBytes;
    lineEnds += other.lineEnds;
    cutLines += other.cutLines;
    badRecords += other.badRecords;
    longRecords += other.longRecords;
    duplicates += other.duplicates;
}

bool TextRepairs::any() const
{
    bool some = false;
    visitRepairs(*this, [&](const char*, const char*, std::int64_t count) { some |= count > 0; });
    return some;
}

std::string TextRepairs::text() const
{
    std::vector<std::string> parts;
    visitRepairs(*this, [&](const char*, const char* words, std::int64_t count) {
        if (count > 0) parts.push_back(std::to_string(count) + " " + words);
    });
    return joinList(parts);
}

Json TextRepairs::toJson() const
{
    Json json = Json::object();
    visitRepairs(*this, [&](const char* key, const char*, std::int64_t count) { json[key] = count; });
    return json;
}

TextRepairs TextRepairs::fromJson(const Json& json)
{
    TextRepairs repairs;
    visitRepairs(repairs, [&](const char* key, const char*, std::int64_t& count) {
        count = json.value(key, std::int64_t(0)); // earlier versions told fewer kinds apart
    });
    return repairs;
}

std::int64_t CorpusCard::bytes() const { return splits[0].bytes + splits[1].bytes + splits[2].bytes; }
std::int64_t CorpusCard::tokens() const { return splits[0].tokens + splits[1].tokens + splits[2].tokens; }
std::int64_t CorpusCard::documents() const { return splits[0].documents + splits[1].documents + splits[2].documents; }
double CorpusCard::bytesPerToken() const { return tokens() > 0 ? double(bytes()) / double(tokens()) : 0; }

Json CorpusCard::toJson() const
{
    Json parts = Json::object();
    for (std::size_t i = 0; i < splits.size(); ++i)
        visitSplit(splits[i], [&](const char* key, std::int64_t value) { parts[splitNames[i]][key] = value; });
    return { { "schema", cardSchema }, { "name", name }, { "sources", sources }, { "files", files },
        { "fingerprint", fingerprint }, { "tokenizer", { { "sha256", tokenizer }, { "pieces", pieces } } },
        { "splits", parts }, { "repairs", repairs.toJson() }, { "note", note } };
}

CorpusCard CorpusCard::fromJson(const Json& json, const std::string& where)
{
    try {
        if (json.at("schema").get<int>() != cardSchema)
            throw DataError(where, "was written by another version", "prepare the corpus again");
        CorpusCard card;
        card.name = json.at("name").get<std::string>();
        card.sources = json.at("sources").get<std::vector<std::string>>();
        card.files = json.at("files").get<std::int64_t>();
        card.fingerprint = json.at("fingerprint").get<std::string>();
        card.tokenizer = json.at("tokenizer").at("sha256").get<std::string>();
        card.pieces = json.at("tokenizer").at("pieces").get<std::int64_t>();
        for (std::size_t i = 0; i < card.splits.size(); ++i)
            visitSplit(card.splits[i], [&](const char* key, std::int64_t& value) {
                value = json.at("splits").at(splitNames[i]).at(key).get<std::int64_t>();
            });
        card.repairs = TextRepairs::fromJson(json.at("repairs"));
        card.note = json.at("note").get<std::string>();
        return card;
    } catch (const Json::exception&) {
        throw DataError(where, "is damaged", "prepare the corpus again");
    }
}

} // namespace pha
