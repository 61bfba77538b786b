// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/tokenizer.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/data/byte_tokenizer.h"
#include "engine/data/character_tokenizer.h"
#include "engine/data/gpt2_tokenizer.h"
#include "engine/data/id_tokenizer.h"
#include "engine/data/meta_pickle.h"
#include "engine/data/piece_tokenizer.h"
#include "engine/data/symbol_tokenizer.h"
#include "engine/data/tokenizer_training.h"

#include <mutex>
#include <set>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t maxFileBytes = std::int64_t(32) << 20;
constexpr std::pair<const char*, const char*> gpt2Names[] { { "vocab.json", "merges.txt" },
    { "encoder.json", "vocab.bpe" } };

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

/// Both files of GPT-2's, in the folder of one of them.
std::unique_ptr<Tokenizer> loadGpt2(const fs::path& vocabulary, const fs::path& merges)
{
    return gpt2Tokenizer(readGpt2Files(
        readFile(vocabulary, maxFileBytes), readFile(merges, maxFileBytes), vocabulary.parent_path().string()));
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
    const std::string& text, const TokenizerRecipe& recipe, EventSink& progress, const std::stop_token& stop)
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
    if (model.starts_with(charactersMark)) return readCharacterTokenizer(model, where);
    if (model.starts_with(gpt2Mark)) return gpt2Tokenizer(readGpt2Model(model, where));
    if (looksLikeGpt2Bin(model)) return gpt2Tokenizer(readGpt2Bin(model, where));
    if (looksLikePickle(model) || where.ends_with(".pkl"))
        return characterTokenizer(readMetaPickle(model, where), where);
    const auto scanned = scanTokenizerModel(model, where);
    if (!isTrusted(sha256Hex(model))) tryTokenizerInChild(model, where);
    // The pieces point into `model`; the copy keeps them alive while the tokenizer is built.
    return pieceTokenizer(model, scanned, where);
}

std::string Tokenizer::decode(const std::vector<std::int32_t>& ids) const
{
    std::string text;
    for (const auto id : ids) text += piece(id);
    return text;
}

std::unique_ptr<Tokenizer> Tokenizer::findIn(const fs::path& folder)
{
    const auto has = [&](const char* name) {
        std::error_code problem;
        return fs::exists(folder / name, problem);
    };
    if (has("tokenizer.model")) return load(folder / "tokenizer.model");
    for (const auto& [vocabulary, merges] : gpt2Names)
        if (has(vocabulary) && has(merges)) return loadGpt2(folder / vocabulary, folder / merges);
    for (const char* name : { "gpt2_tokenizer.bin", "meta.pkl" })
        if (has(name)) return load(folder / name);
    return nullptr;
}

std::unique_ptr<Tokenizer> Tokenizer::load(const fs::path& path)
{
    std::error_code problem;
    if (fs::is_directory(path, problem)) {
        if (auto found = findIn(path)) return found;
        throw DataError(path.string(), "no tokenizer is in this folder",
            "give a .model file, or a folder with vocab.json and merges.txt");
    }
    for (const auto& [vocabulary, merges] : gpt2Names)
        if (path.filename() == vocabulary) return loadGpt2(path, path.parent_path() / merges);
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
            name == "gpt2" // as the recipes have it
                ? "a folder of that name here with GPT-2's vocab.json and merges.txt, as huggingface.co has them under "
                  "openai-community/gpt2, or another tokenizer with --set tokenizer=PATH"
                : "auto, unigram, bpe, bytes, or the path of a .model file or of a folder with vocab.json and "
                  "merges.txt");
    return load(name);
}

} // namespace pha
