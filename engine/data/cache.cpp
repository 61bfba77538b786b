// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/cache.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/user_folders.h"
#include "engine/data/tokenizer_model.h"

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t digestLength = 64;
constexpr std::int64_t maxCached = (std::int64_t(32) << 20) + std::int64_t(digestLength);

/// A model that this program has written: its digest, then itself. Null if it is absent or damaged.
std::shared_ptr<const Tokenizer> readCached(const fs::path& file)
{
    try {
        std::error_code unreadable;
        if (!fs::exists(file, unreadable)) return nullptr;
        const auto content = readFile(file, maxCached);
        if (content.size() <= digestLength) return nullptr;
        auto model = content.substr(digestLength);
        const auto digest = sha256Hex(model);
        if (content.compare(0, digestLength, digest) != 0) return nullptr;
        trustTokenizer(digest);
        return Tokenizer::fromModel(std::move(model), file.string());
    } catch (const Error&) {
        return nullptr;
    }
}

} // namespace

fs::path cacheFolder()
{
    const auto base = userFolder("XDG_CACHE_HOME", ".cache");
    if (base.empty()) return {};
    const auto folder = base / "pha-studio";
    std::error_code problem;
    fs::create_directories(folder, problem);
    return problem ? fs::path() : folder;
}

std::shared_ptr<const Tokenizer> cachedTokenizer(const std::string& key, const TokenizerRecipe& recipe,
    const std::function<std::string()>& sample, EventSink& progress, const std::stop_token& stop)
{
    const auto folder = cacheFolder();
    auto name = "tokenizer-" + key + "-" + std::to_string(recipe.size);
    if (recipe.kind != "unigram") name += "-" + recipe.kind;
    if (!recipe.byteFallback) name += "-nobytes";
    const auto file = folder / (name + ".model");
    if (!folder.empty())
        if (auto cached = readCached(file)) return cached;
    std::shared_ptr<const Tokenizer> trained = Tokenizer::train(sample(), recipe, progress, stop);
    if (!folder.empty()) {
        try {
            writeFileAtomically(file, trained->fingerprint() + trained->model());
        } catch (const IoError&) {
            // A full or read-only disk costs the next start a second, no more.
        }
    }
    return trained;
}

} // namespace pha
