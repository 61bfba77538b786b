// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/token_bins.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/data/corpus_kinds.h"
#include "engine/data/id_tokenizer.h"
#include "engine/data/input_file.h"
#include "engine/data/piece_counter.h"
#include "engine/data/token_corpus.h"

#include <algorithm>
#include <cstring>
#include <sys/stat.h>

namespace pha {

namespace fs = std::filesystem;

namespace {

/// llm.c writes 256 numbers of 32 bits first: magic, version, count. nanoGPT writes nothing but the tokens.
struct LlmcFormat {
    std::int32_t magic, version;
    TokenRow row;
};
constexpr LlmcFormat llmcFormats[] { { 20240520, 1, TokenRow::Short }, { 20240801, 7, TokenRow::Long } };
constexpr std::uint64_t headerBytes = 1024;
constexpr char preparedMagic[] = { 'P', 'H', 'A', 'T', 'O', 'K' }; // of our own token files

struct Shape {
    TokenRow row = TokenRow::Short;
    std::uint64_t offset = 0, rows = 0;
};

[[noreturn]] void refuse(const fs::path& path, const std::string& reason)
{
    throw DataError(path.string(), reason, "copy or make the file again");
}

Shape llmcShape(
    const fs::path& path, const LlmcFormat& format, std::int32_t version, std::int32_t count, std::uint64_t size)
{
    if (version != format.version)
        refuse(path,
            "is of version " + std::to_string(version) + " of llm.c's token files, and "
                + std::to_string(format.version) + " is known");
    if (count <= 0) refuse(path, "holds no tokens");
    const Shape shape { format.row, headerBytes, std::uint64_t(count) };
    const auto needed = headerBytes + shape.rows * std::uint64_t(shape.row);
    if (size < needed) refuse(path, "is cut short");
    if (size > needed) refuse(path, "is longer than its header says");
    return shape;
}

Shape shapeOf(const fs::path& path)
{
    std::int32_t head[3] {};
    const auto file = openInput(path);
    const auto size = std::uint64_t(file.status().st_size);
    file.readAt(head, sizeof head, 0);
    for (const auto& format : llmcFormats)
        if (size >= headerBytes && head[0] == format.magic) return llmcShape(path, format, head[1], head[2], size);
    if (std::memcmp(head, preparedMagic, sizeof preparedMagic) == 0)
        throw DataError(path.string(), "is a part of a prepared corpus", "give the folder that it lies in");
    if (size == 0 || size % 2 != 0)
        throw DataError(path.string(), "is no file of 16-bit tokens", "give a .bin of nanoGPT or llm.c");
    return { TokenRow::Short, 0, size / 2 };
}

TokenSequence openShards(const std::vector<fs::path>& files)
{
    TokenSequence tokens;
    for (const auto& file : files) {
        const auto shape = shapeOf(file);
        tokens.add(TokenFile::openForeign(file, shape.row, shape.offset, shape.rows));
    }
    return tokens;
}

/// SHA-256 of the size and of `parts` pieces of 64 KB at even distances: enough to tell one file from another, and
/// quick.
std::string sampledDigest(const fs::path& path, std::uint64_t parts)
{
    const auto file = openInput(path);
    const auto size = std::uint64_t(file.status().st_size);
    Sha256 hash;
    hash.update(std::to_string(size));
    std::vector<char> part(std::size_t(1) << 16);
    for (std::uint64_t i = 0; i < parts; ++i) {
        const auto got = file.readAt(part.data(), part.size(), std::int64_t(size / parts * i));
        hash.update(part.data(), got);
    }
    return hash.hex();
}

std::string digestsOf(const std::vector<fs::path>& files)
{
    std::string digests;
    for (const auto& file : files) digests += sampledDigest(file, std::max<std::uint64_t>(64 / files.size(), 1));
    return digests;
}

/// Tokens with their words and bytes as the pieces spell them.
Split countedSplit(
    const TokenSequence& tokens, std::uint64_t most, const Tokenizer& tokenizer, const std::string& where)
{
    constexpr std::int64_t mostBytes = std::int64_t(1) << 30;
    Split split;
    split.tokens.resize(std::size_t(std::min(tokens.size(), most)));
    if (split.tokens.empty()) return split;
    tokens.copy(0, std::span(split.tokens));
    checkIds(split.tokens, tokenizer, where);
    PieceCounter counter(tokenizer);
    for (std::size_t i = 0; i < split.tokens.size(); ++i) {
        const auto token = split.tokens[i];
        const auto ended = counter.add(token);
        if (i > 0) split.words.back() += ended;
        split.words.push_back(std::int32_t(counter.words()));
        split.bytes.push_back(std::int32_t(counter.bytes()));
        if (counter.bytes() > mostBytes) split.tokens.resize(i + 1);
    }
    if (counter.finish()) ++split.words.back();
    return split;
}

std::string describe(const OpenedBins& opened, std::size_t shards)
{
    auto text = opened.name;
    if (shards > 1) text += " and " + std::to_string(shards - 1) + " more";
    text += ", " + compactCount(double(opened.splits[0].size())) + " tokens";
    if (const auto valid = opened.splits[1].size(); valid > evaluatedBinTokens)
        text += ", validated on " + compactCount(double(evaluatedBinTokens)) + " of " + compactCount(double(valid));
    if (opened.tokenizer->kind() == Tokenizer::Kind::Ids)
        text += " of unknown text, numbers below " + std::to_string(opened.tokenizer->size());
    return text;
}

} // namespace

void checkIds(std::span<const std::int32_t> ids, const Tokenizer& tokenizer, const std::string& where)
{
    if (ids.empty()) return;
    const auto [smallest, largest] = std::minmax_element(ids.begin(), ids.end());
    if (*smallest >= 0 && *largest < tokenizer.size()) return;
    const std::int64_t id = *smallest < 0 ? *smallest : *largest;
    const auto problem =
        "holds the id " + std::to_string(id) + " of a vocabulary of " + std::to_string(tokenizer.size());
    if (tokenizer.kind() != Tokenizer::Kind::Ids)
        throw DataError(where, problem, "give the tokenizer that the tokens were made with");
    constexpr std::int64_t gpt2 = 50257;
    const auto size = id < gpt2 && id > gpt2 / 2 ? gpt2 : id + 1;
    throw DataError(where, problem,
        "name the tokenizer of the tokens (pha train: --set tokenizer=PATH, pha data: --tokenizer PATH), or set "
        "vocab_size to "
            + std::to_string(size) + " or more");
}

std::shared_ptr<const Tokenizer> tokenizerOfBins(const TokenBins& bins, const DataConfig& config)
{
    if (std::shared_ptr<const Tokenizer> found = Tokenizer::findIn(bins.folder)) {
        requireKind(config, *found, bins.folder);
        return found;
    }
    if (config.tokenizer != "auto")
        throw ConfigError("tokenizer", inQuotes(config.tokenizer),
            "the one that the tokens were made with, since they are given; auto if it is not known");
    return idTokenizer(config.vocabSize);
}

OpenedBins openBins(const TokenBins& bins, const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer,
    double validShare, double testShare)
{
    OpenedBins opened;
    opened.tokenizer = tokenizer ? std::move(tokenizer) : tokenizerOfBins(bins, config);
    for (std::size_t i = 0; i < opened.splits.size(); ++i) opened.splits[i] = openShards(bins.files[i]);
    opened.name = bins.files[0].front().filename().string();
    auto identity = digestsOf(bins.files[0]);
    const auto all = opened.splits[0];
    auto end = all.size();
    const auto take = [&](std::size_t split, double share, std::uint64_t usual) {
        if (!bins.files[split].empty()) {
            identity += digestsOf(bins.files[split]);
            return;
        }
        const auto count = share < 0 ? usual : std::uint64_t(share * double(all.size()));
        if (count == 0) return;
        opened.splits[split] = all.part(end - count, end);
        end -= count;
        identity += std::to_string(end);
    };
    take(1, validShare, std::min<std::uint64_t>(all.size() / 20, std::uint64_t(1) << 20));
    take(2, testShare, 0);
    opened.splits[0] = all.part(0, end);
    opened.fingerprint = sha256Hex(identity);
    opened.description = describe(opened, bins.files[0].size());
    return opened;
}

std::unique_ptr<Corpus> openTokenBins(
    const TokenBins& bins, const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer)
{
    auto opened = openBins(bins, config, std::move(tokenizer));
    TokenCorpusParts parts;
    parts.tokenizer = opened.tokenizer;
    parts.name = opened.name;
    parts.description = opened.description;
    parts.fingerprint = opened.fingerprint;
    for (std::size_t i = 0; i < parts.splits.size(); ++i) {
        const auto where = bins.files[bins.files[i].empty() ? 0 : i].front().string();
        parts.splits[i] =
            countedSplit(opened.splits[i], i == 0 ? sampledBinTokens : evaluatedBinTokens, *parts.tokenizer, where);
        parts.totals[i] = std::int64_t(opened.splits[i].size());
    }
    parts.train = std::move(opened.splits[0]);
    return makeTokenCorpus(std::move(parts));
}

} // namespace pha
