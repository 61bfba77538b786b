// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/weight_files.h"

#include "engine/base/base64.h"
#include "engine/base/error.h"
#include "engine/config/config.h"
#include "engine/data/corpus.h"
#include "engine/run/run_directory.h"
#include "engine/run/safetensors.h"

#include <algorithm>

namespace pha {

std::vector<fs::path> weightFiles(const fs::path& path)
{
    std::error_code problem;
    const auto isWeights = [&](const fs::path& file) {
        return file.extension() == ".safetensors" && fs::is_regular_file(file, problem);
    };
    if (isWeights(path) && !isCheckpointsWeights(path)) return { path };
    std::vector<fs::path> files;
    const bool ours = fs::exists(path / "run.json", problem) || fs::exists(path / "manifest.json", problem);
    if (!ours && fs::is_directory(path, problem))
        for (const auto& entry : fs::directory_iterator(path, problem))
            if (isWeights(entry.path())) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

std::shared_ptr<const Tokenizer> tokenizerIn(const SafetensorsReader& reader, const std::string& where)
{
    const auto& metadata = reader.metadata();
    const auto format = metadata.find("format"), tokenizer = metadata.find("tokenizer");
    if (format == metadata.end() || format->second != "pha-studio") return nullptr; // it may mean anything
    if (tokenizer == metadata.end() || tokenizer->second.empty()) return nullptr;
    const auto bytes = fromBase64(tokenizer->second);
    if (!bytes)
        throw CheckpointError(
            where, "the tokenizer in it is not base64", "take another file, or a checkpoint folder of the run");
    return Tokenizer::fromModel(*bytes, where);
}

std::shared_ptr<const Tokenizer> tokenizerOfWeights(const fs::path& path)
{
    std::error_code problem;
    const auto files = weightFiles(path);
    for (const auto& file : files)
        if (auto tokenizer = tokenizerIn(SafetensorsReader(file), file.string())) return tokenizer;
    if (!files.empty()) return nullptr;
    const RunDirectory run(intactCheckpoint(path).parent_path().parent_path());
    return run.exists() && fs::exists(run.tokenizerFile(), problem) ? Tokenizer::load(run.tokenizerFile()) : nullptr;
}

bool comesWithWeights(const Tokenizer& tokenizer, const DataConfig& config)
{
    const bool readsText = tokenizer.kind() != Tokenizer::Kind::Symbols && tokenizer.kind() != Tokenizer::Kind::Ids;
    return readsText && config.tokenizer == "auto" && !Corpus::knownTokenizer(config);
}

void requireTheirTokenizer(const fs::path& weights, const Tokenizer& theirs, const Tokenizer& own)
{
    if (theirs.size() != own.size() || theirs.fingerprint() == own.fingerprint()) return;
    throw CheckpointError(weights.string(), "was trained with another tokenizer than this run would have",
        "begin with weights of the same tokenizer, or give a text that is not prepared and leave tokenizer at auto");
}

} // namespace pha
