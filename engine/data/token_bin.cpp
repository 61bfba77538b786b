// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/data/id_tokenizer.h"
#include "engine/data/prepare.h"
#include "engine/data/token_corpus.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>

namespace pha {

namespace fs = std::filesystem;

namespace {

// llm.c writes 256 numbers of 32 bits first: magic, version, count. nanoGPT writes nothing but the tokens.
constexpr std::int32_t gpt2Magic = 20240520, llamaMagic = 20240801;
constexpr std::size_t headerBytes = 1024;
constexpr std::uint64_t maxEvaluated = std::uint64_t(1) << 23; ///< tokens of a split that is held in memory

struct Shape {
    TokenRow row = TokenRow::Short;
    std::uint64_t offset = 0, rows = 0;
};

Shape shapeOf(const fs::path& path)
{
    std::array<std::int32_t, 3> head {};
    std::uint64_t size = 0;
    try {
        const PosixFile file(path, O_RDONLY);
        file.requireRegular();
        size = std::uint64_t(file.status().st_size);
        file.readAt(head.data(), sizeof head, 0);
    } catch (const IoError& error) {
        throw DataError(path.string(), "cannot be read", error.advice());
    }
    Shape shape;
    if (size >= headerBytes && (head[0] == gpt2Magic || head[0] == llamaMagic)) {
        shape = { head[0] == gpt2Magic ? TokenRow::Short : TokenRow::Long, headerBytes,
            std::uint64_t(std::max(head[2], 0)) };
        if (shape.rows == 0) throw DataError(path.string(), "holds no tokens", "make the file again");
        return shape;
    }
    shape.rows = size / 2;
    constexpr std::int32_t prepared = 0x54414850; // "PHAT", of our own token files
    if (size >= sizeof head && head[0] == prepared)
        throw DataError(path.string(), "is a part of a prepared corpus", "give the folder that it lies in");
    if (size == 0 || size % 2 != 0)
        throw DataError(path.string(), "is no file of 16-bit tokens", "give a .bin of nanoGPT or llm.c");
    return shape;
}

/// The tokens from `begin` to `end`, of which there may be fewer.
std::shared_ptr<const TokenFile> openBin(const fs::path& path, std::uint64_t begin, std::uint64_t end)
{
    const auto shape = shapeOf(path);
    begin = std::min(begin, shape.rows);
    return TokenFile::openForeign(
        path, shape.row, shape.offset + begin * std::uint64_t(shape.row), std::min(end, shape.rows) - begin);
}

/// What validates where no file does: the end of the training tokens.
std::uint64_t heldOut(std::uint64_t tokens) { return std::min<std::uint64_t>(tokens / 20, std::uint64_t(1) << 20); }

/// The validation (or training) file beside `path`: its name with the other word for the split.
fs::path sister(const fs::path& path, const std::string& word, const std::vector<std::string>& others)
{
    const auto name = path.filename().string();
    const auto at = name.rfind(word);
    if (at == std::string::npos) return {};
    for (const auto& other : others) {
        auto replaced = name;
        const auto file = path.parent_path() / replaced.replace(at, word.size(), other);
        std::error_code problem;
        if (fs::is_regular_file(file, problem)) return file;
        // Shards are counted through: fineweb_val_000000.bin stands before fineweb_train_000001.bin.
        const auto digits = replaced.find_last_of('_');
        if (digits == std::string::npos) continue;
        const auto first = path.parent_path() / (replaced.substr(0, digits + 1) + "000000.bin");
        if (fs::is_regular_file(first, problem)) return first;
    }
    return {};
}

[[noreturn]] void refuseId(const std::string& where, std::int64_t id, const Tokenizer& tokenizer)
{
    const auto problem =
        "holds the id " + std::to_string(id) + " of a vocabulary of " + std::to_string(tokenizer.size());
    if (tokenizer.kind() != Tokenizer::Kind::Ids)
        throw DataError(where, problem, "give the tokenizer that the tokens were made with");
    constexpr std::int64_t gpt2 = 50257;
    const auto size = id < gpt2 && id > gpt2 / 2 ? gpt2 : id + 1;
    throw DataError(where, problem,
        "name the tokenizer of the tokens (--set tokenizer=PATH), or set vocab_size to " + std::to_string(size)
            + " or more");
}

/// Words and bytes as the tokens spell them, if anybody knows: a word ends with the token before a blank.
Split countedSplit(const TokenFile& file, std::uint64_t most, const Tokenizer& tokenizer, const std::string& where)
{
    Split split;
    split.tokens.resize(std::size_t(std::min(file.size(), most)));
    file.copy(0, std::span(split.tokens));
    if (split.tokens.empty()) return split;
    const auto [smallest, largest] = std::minmax_element(split.tokens.begin(), split.tokens.end());
    if (*smallest < 0 || *largest >= tokenizer.size()) refuseId(where, *smallest < 0 ? *smallest : *largest, tokenizer);
    std::int32_t words = 0, bytes = 0;
    bool inWord = false;
    const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    for (const auto token : split.tokens) {
        const auto piece = tokenizer.kind() == Tokenizer::Kind::Ids ? std::string() : tokenizer.piece(token);
        for (const char c : piece) {
            // The word before a blank has ended with the token before, if this one begins with it.
            if (blank(c) && inWord) ++(&c == piece.data() && !split.words.empty() ? split.words.back() : words);
            if (blank(c) && inWord && &c == piece.data()) words = split.words.empty() ? words : split.words.back();
            words += c == '\n';
            inWord = !blank(c);
        }
        bytes += std::int32_t(piece.size());
        split.words.push_back(words);
        split.bytes.push_back(bytes);
    }
    if (inWord && !split.words.empty()) ++split.words.back();
    return split;
}

/// SHA-256 of the size and of 64 KB at 64 even distances: enough to tell one file from another, and quick.
std::string sampledDigest(const fs::path& path)
{
    const PosixFile file(path, O_RDONLY);
    const auto size = std::uint64_t(file.status().st_size);
    Sha256 hash;
    hash.update(std::to_string(size));
    std::vector<char> part(std::size_t(1) << 16);
    for (std::uint64_t i = 0; i < 64; ++i) {
        const auto got = file.readAt(part.data(), part.size(), std::int64_t(size / 64 * i));
        hash.update(part.data(), got);
    }
    return hash.hex();
}

/// The tokenizer.model beside the file; else the tokens are numbers that spell nothing, as many as the configuration
/// says.
std::shared_ptr<const Tokenizer> usualTokenizer(const fs::path& path, const DataConfig& config)
{
    const auto model = path.parent_path() / "tokenizer.model";
    std::error_code problem;
    if (fs::exists(model, problem)) return Tokenizer::load(model);
    if (config.tokenizer != "auto")
        throw ConfigError("tokenizer", inQuotes(config.tokenizer),
            "the one that the tokens were made with, since they are given; auto if it is not known");
    return idTokenizer(config.vocabSize);
}

} // namespace

fs::path findTokenBin(const fs::path& path)
{
    std::error_code problem;
    const auto file = fs::is_directory(path, problem) && !isPreparedCorpus(path) ? path / "train.bin" : path;
    return file.extension() == ".bin" && fs::is_regular_file(file, problem) ? file : fs::path();
}

std::unique_ptr<Corpus> openTokenBin(
    const fs::path& path, const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer)
{
    const auto where = path.string();
    TokenCorpusParts parts;
    parts.tokenizer = tokenizer ? std::move(tokenizer) : usualTokenizer(path, config);
    const std::vector<std::string> validWords { "val", "valid", "validation" };
    auto trainPath = path, validPath = sister(path, "train", validWords);
    for (const auto& word : validWords) {
        if (const auto train = sister(path, word, { "train" }); !train.empty()) trainPath = train, validPath = path;
    }
    const auto tokens = shapeOf(trainPath).rows, trained = validPath.empty() ? tokens - heldOut(tokens) : tokens;
    parts.train = openBin(trainPath, 0, trained);
    const auto valid = validPath.empty() ? openBin(trainPath, trained, tokens) : openBin(validPath, 0, UINT64_MAX);
    parts.splits[0] = countedSplit(*parts.train, std::uint64_t(1) << 18, *parts.tokenizer, where);
    parts.splits[1] = countedSplit(*valid, maxEvaluated, *parts.tokenizer, where);
    parts.name = parts.description = trainPath.filename().string();
    parts.description += ", " + formatCount(double(tokens)) + " tokens";
    if (parts.tokenizer->kind() == Tokenizer::Kind::Ids)
        parts.description += " of unknown text, numbers below " + std::to_string(parts.tokenizer->size());
    parts.fingerprint =
        sha256Hex(sampledDigest(trainPath) + (validPath.empty() ? std::to_string(trained) : sampledDigest(validPath)));
    return makeTokenCorpus(std::move(parts));
}

} // namespace pha
