// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/tokenizer.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/data/byte_tokenizer.h"
#include "engine/data/gpt2_tokenizer.h"
#include "engine/data/id_tokenizer.h"
#include "engine/data/piece_tokenizer.h"
#include "engine/data/symbol_tokenizer.h"
#include "engine/data/tokenizer_training.h"
#include "engine/run/atomic_file.h"

#include <mutex>
#include <set>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t maxFileBytes = std::int64_t(32) << 20;

struct TrustedModels {
    std::mutex mutex;
    std::set<std::string> fingerprints;
};
TrustedModels& trusted()
{
    static auto* models = new TrustedModels; // lives as long as any thread that may ask
    return *models;
}

bool isTrusted(const std::string& fingerprint)
{
    const std::lock_guard lock(trusted().mutex);
    return trusted().fingerprints.contains(fingerprint);
}

/// GPT-2's files in `folder`, under either of the names that they are known by.
std::unique_ptr<Tokenizer> loadGpt2(const fs::path& folder)
{
    for (const auto& [vocab, merges] :
        { std::pair("vocab.json", "merges.txt"), std::pair("encoder.json", "vocab.bpe") })
        if (std::error_code problem; fs::exists(folder / vocab, problem) && fs::exists(folder / merges, problem))
            return gpt2Tokenizer(readGpt2Files(
                readFile(folder / vocab, maxFileBytes), readFile(folder / merges, maxFileBytes), folder.string()));
    throw DataError(folder.string(), "no tokenizer is in this folder",
        "give a .model file, or a folder with vocab.json and merges.txt");
}

} // namespace

void trustTokenizer(const std::string& sha256)
{
    const std::lock_guard lock(trusted().mutex);
    trusted().fingerprints.insert(sha256);
}

TokenizerRecipe::TokenizerRecipe(const DataConfig& config)
    : TokenizerRecipe(config.vocabSize, config.tokenizer == "bpe" ? "bpe" : "unigram", config.byteFallback)
{
}

std::unique_ptr<Tokenizer> Tokenizer::train(
    const std::string& text, const TokenizerRecipe& recipe, EventSink& progress, std::stop_token stop)
{
    auto model = trainTokenizerModel(text, recipe, progress, stop);
    const auto scanned = scanTokenizerModel(model, "the trained tokenizer");
    auto trained = pieceTokenizer(model, scanned, "the trained tokenizer");
    trustTokenizer(trained->fingerprint());
    return trained;
}

std::unique_ptr<Tokenizer> Tokenizer::symbols(const std::vector<std::string>& names)
{
    return symbolTokenizer(symbolModel(names), "symbols");
}

std::unique_ptr<Tokenizer> Tokenizer::fromModel(std::string model, const std::string& where)
{
    if (model == bytesModel) return byteTokenizer();
    if (model.starts_with(idsMark)) return readIdTokenizer(model, where);
    if (model.starts_with(symbolsMark)) return symbolTokenizer(std::move(model), where);
    if (model.starts_with(gpt2Mark)) return gpt2Tokenizer(readGpt2Model(model, where));
    const auto scanned = scanTokenizerModel(model, where);
    if (!isTrusted(sha256Hex(model))) tryTokenizerInChild(model, where);
    // The pieces point into `model`; the copy keeps them alive while the tokenizer is built.
    return pieceTokenizer(model, scanned, where);
}

std::unique_ptr<Tokenizer> Tokenizer::load(const fs::path& path)
{
    std::error_code problem;
    if (fs::is_directory(path, problem)) return loadGpt2(path);
    const auto name = path.filename();
    if (name == "vocab.json" || name == "encoder.json") return loadGpt2(path.parent_path());
    return fromModel(readFile(path, maxFileBytes), path.string());
}

std::shared_ptr<const Tokenizer> Tokenizer::given(const DataConfig& config)
{
    const auto& name = config.tokenizer;
    if (name == "bytes") return byteTokenizer();
    if (name == "auto" || name == "unigram" || name == "bpe") return nullptr;
    std::error_code problem;
    if (!fs::exists(name, problem))
        throw ConfigError("tokenizer", name.empty() ? "" : inQuotes(name),
            "auto, unigram, bpe, bytes, or the path of a .model file or of a folder with vocab.json and merges.txt");
    return load(name);
}

} // namespace pha
