// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/model_file.h"

#include "engine/base/atomic_file.h"
#include "engine/base/base64.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/config/field_use.h"
#include "engine/model/weights.h"
#include "engine/run/run_directory.h"
#include "engine/run/safetensors.h"
#include "engine/run/weight_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace pha {

namespace {

constexpr auto takeAnother = "take another file, or a checkpoint folder of the run";

std::string metadataOf(const SafetensorsReader& reader, const std::string& key)
{
    const auto found = reader.metadata().find(key);
    return found == reader.metadata().end() ? std::string() : found->second;
}

/// One of the things that `pha average` takes, as far as it needs to know it.
struct Source {
    fs::path weights; ///< a model file or model.safetensors
    RunConfig config;
    std::int64_t step = 0;
    std::string tokenizer; ///< its model
    std::shared_ptr<LanguageModel> model; ///< of the first one
    SafetensorsReader reader; ///< open, as the checkpoint of a run in training may be removed by the time it is read
};

Source openSource(const fs::path& path, bool first)
{
    if (isModelFile(path)) {
        auto file = readModelFile(path);
        return { path, std::move(file.config), file.step, file.tokenizer->model(), first ? file.model : nullptr,
            SafetensorsReader(path) };
    }
    return readCheckpoint(path, [&](const fs::path& folder) -> Source {
        const RunDirectory run(runOfCheckpoint(folder));
        const auto weights = folder / "model.safetensors";
        return { weights, run.read(RunUse::View).config, checkpointStep(folder.filename().string()).value_or(0),
            readFile(run.tokenizerFile()), first ? readModel(weights) : nullptr, SafetensorsReader(weights) };
    });
}

/// Tensors of one shape may still belong to networks that read them in different ways. What only decides where the
/// weights began, or how the same numbers are reached, may differ.
void requireSameNetwork(const RunConfig& first, const RunConfig& other, const fs::path& where)
{
    static constexpr const char* free[] = { "gss_convolution", "gss_init", "zero_init" };
    for (const auto& [group, field] : allFields()) {
        const auto& name = field.name;
        if (group != "model" || std::count(std::begin(free), std::end(free), name) > 0) continue;
        if (first.get(name) != other.get(name) && fieldMatters(first.model, name))
            throw CheckpointError(where.string(),
                fmt::format("another network than the first one's: {} is {}, not {}", name, other.get(name).dump(),
                    first.get(name).dump()),
                "average checkpoints of one network");
    }
}

void setToMean(LanguageModel& model, const std::vector<SafetensorsReader>& readers, const std::vector<fs::path>& files)
{
    const torch::NoGradGuard guard;
    const auto weights = namedWeights(model);
    for (const auto& [name, weight] : weights) {
        auto sum = torch::zeros(weight.sizes(), torch::kDouble), values = torch::empty(weight.sizes(), torch::kFloat);
        for (std::size_t i = 0; i < readers.size(); ++i) {
            const auto found = readers[i].tensors().find(name);
            if (readers[i].tensors().size() != weights.size() || found == readers[i].tensors().end()
                || found->second.shape != weight.sizes().vec() || found->second.dtype != "F32")
                throw CheckpointError(files[i].string(), "another network than the first one's (at " + name + ")",
                    "average checkpoints of one shape");
            readers[i].read(found->second, values.data_ptr());
            sum.add_(values);
        }
        weight.detach().copy_(sum.div_(double(readers.size())));
    }
}

} // namespace

void writeModelFile(const fs::path& file, const ModelFile& content)
{
    auto config = content.config;
    config.model = content.model->config();
    writeTensors(file, namedWeights(*content.model),
        { { "format", "pha-studio" }, { "config", config.toJson()["model"].dump() }, { "run", config.toJson().dump() },
            { "step", std::to_string(content.step) }, { "note", content.note },
            { "tokenizer", toBase64(content.tokenizer->model()) } });
}

ModelFile readModelFile(const fs::path& file)
{
    ModelFile content;
    const auto where = file.string();
    std::string run;
    {
        const SafetensorsReader reader(file);
        run = metadataOf(reader, "run");
        content.tokenizer = tokenizerIn(reader, where);
        content.note = metadataOf(reader, "note");
        content.step = checkpointStep("step-" + metadataOf(reader, "step")).value_or(0);
    }
    if (run.empty() || !content.tokenizer)
        throw CheckpointError(where, "a safetensors file without a run's configuration and tokenizer",
            "give a run directory, a checkpoint folder or a file that 'pha average' wrote");
    content.model = readModel(file);
    try {
        content.config = RunConfig::fromJson(parseJsonStrict(run, where), content.config);
    } catch (const Error& error) {
        throw CheckpointError(where, error.problem(), takeAnother);
    }
    content.config.model = content.model->config();
    if (content.tokenizer->size() != content.model->config().vocabulary)
        throw CheckpointError(where,
            fmt::format("its tokenizer has {} pieces, its model {}", content.tokenizer->size(),
                content.model->config().vocabulary),
            takeAnother);
    return content;
}

void averageWeights(LanguageModel& model, const std::vector<fs::path>& files)
{
    std::vector<SafetensorsReader> readers;
    for (const auto& file : files) readers.emplace_back(file);
    setToMean(model, readers, files);
}

void averageCheckpoints(const std::vector<fs::path>& checkpoints, const fs::path& out)
{
    if (checkpoints.empty()) throw ConfigError("checkpoints", "", "at least one to average");
    std::vector<Source> sources;
    for (const auto& path : checkpoints) {
        sources.push_back(openSource(path, sources.empty()));
        if (sources.back().tokenizer != sources.front().tokenizer)
            throw CheckpointError(path.string(), "was trained with another tokenizer than the first",
                "average checkpoints of one run, or of runs with the same tokenizer");
        requireSameNetwork(sources.front().config, sources.back().config, path);
    }
    ModelFile mean;
    mean.model = sources.front().model;
    std::vector<SafetensorsReader> readers;
    std::vector<fs::path> files;
    for (auto& source : sources) {
        readers.push_back(std::move(source.reader));
        files.push_back(source.weights);
    }
    setToMean(*mean.model, readers, files);
    mean.config = sources.front().config;
    for (const auto& source : sources) mean.step = std::max(mean.step, source.step);
    mean.tokenizer = Tokenizer::fromModel(sources.front().tokenizer, checkpoints.front().string());
    mean.note = fmt::format("mean of {} checkpoint{}", files.size(), files.size() == 1 ? "" : "s");
    writeModelFile(out, mean);
}

} // namespace pha
