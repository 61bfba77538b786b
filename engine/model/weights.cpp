// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/weights.h"

#include "engine/base/error.h"
#include "engine/run/safetensors.h"

#include <numeric>
#include <set>

namespace pha {

namespace {

/// The model as writeModel() has described it.
Json configurationIn(const SafetensorsReader& reader, const std::filesystem::path& file)
{
    const auto text = reader.metadata().find("config");
    if (text == reader.metadata().end())
        throw CheckpointError(file.string(), "a safetensors file without a PHA Studio configuration",
            "give a checkpoint that PHA Studio wrote");
    auto json = Json::parse(text->second, nullptr, false);
    if (json.is_discarded() || !json.is_object())
        throw CheckpointError(
            file.string(), "the configuration in it is not JSON", "take another checkpoint of the run");
    return json;
}

} // namespace

NamedTensors namedWeights(const LanguageModel& model)
{
    NamedTensors all;
    for (const auto& item : model.named_parameters()) {
        auto name = item.key();
        if (name.starts_with("layers_")) name[6] = '.'; // module names may not hold a dot, file names do
        all.emplace_back(name, item.value());
    }
    return all;
}

std::shared_ptr<LanguageModel> emptyModel(const ModelConfig& config)
{
    return std::make_shared<LanguageModel>(config, std::nullopt);
}

void storeMatrices(LanguageModel& model, torch::Dtype dtype)
{
    const torch::NoGradGuard guard;
    for (auto& [name, weight] : namedWeights(model))
        if (parameterKind(name, weight) == ParameterKind::Matrix && weight.dim() == 2)
            weight.set_data(weight.to(dtype));
}

void copyWeights(const LanguageModel& from, LanguageModel& to)
{
    const torch::NoGradGuard guard;
    const auto source = namedWeights(from), target = namedWeights(to);
    for (std::size_t i = 0; i < source.size(); ++i) target[i].second.detach().copy_(source[i].second);
}

void writeTensors(
    const std::filesystem::path& file, const NamedTensors& tensors, const std::map<std::string, std::string>& metadata)
{
    std::vector<Tensor> held; // what the pointers point at
    std::vector<TensorToWrite> list;
    for (const auto& [name, tensor] : tensors) {
        held.push_back(tensor.detach().to(torch::kCPU, torch::kFloat).contiguous());
        list.push_back({ name, "F32", tensor.sizes().vec(), held.back().data_ptr() });
    }
    writeSafetensors(file, list, metadata);
}

void readTensors(const std::filesystem::path& file, const NamedTensors& tensors, Extra extra)
{
    const torch::NoGradGuard guard;
    const SafetensorsReader reader(file);
    const auto where = file.string();
    std::set<std::string> expected;
    for (const auto& [name, tensor] : tensors) {
        expected.insert(name);
        const auto found = reader.tensors().find(name);
        if (found == reader.tensors().end())
            throw CheckpointError(
                where, "tensor " + name + " is missing", "this file belongs to another model; check the path");
        if (found->second.shape != tensor.sizes().vec() || found->second.dtype != "F32")
            throw CheckpointError(where, "tensor " + name + " has another shape or type than the configuration says",
                "this file belongs to another model; check the path");
    }
    for (const auto& [name, entry] : reader.tensors())
        if (extra == Extra::Refuse && !expected.count(name))
            throw CheckpointError(where, "tensor " + name + " does not belong to this model",
                "this file belongs to another model; check the path");
    for (const auto& [name, tensor] : tensors) {
        auto values = torch::empty(tensor.sizes(), torch::kFloat);
        reader.read(reader.tensors().at(name), values.data_ptr());
        tensor.detach().copy_(values);
    }
}

void writeModel(const std::filesystem::path& file, const LanguageModel& model, std::int64_t step)
{
    RunConfig config;
    config.model = model.config();
    writeTensors(file, namedWeights(model),
        { { "format", "pha-studio" }, { "config", config.toJson()["model"].dump() },
            { "step", std::to_string(step) } });
}

void requireConfiguration(const std::filesystem::path& file, const ModelConfig& model)
{
    const auto json = configurationIn(SafetensorsReader(file), file);
    RunConfig config;
    config.model = model;
    const Json wanted = config.toJson()["model"];
    for (const auto& [key, value] : wanted.items())
        if (const auto stored = json.find(key); stored != json.end() && *stored != value)
            throw CheckpointError(file.string(),
                "was trained with " + key + " " + stored->dump() + ", but run.json says " + value.dump(),
                key + " cannot change when a run goes on: put it back in run.json");
}

std::shared_ptr<LanguageModel> readModel(const std::filesystem::path& file)
{
    RunConfig config;
    {
        const SafetensorsReader reader(file);
        const auto json = configurationIn(reader, file);
        try {
            config = RunConfig::fromJson(Json { { "model", json } }, config);
            config.model.validate();
        } catch (const ConfigError& error) {
            throw CheckpointError(file.string(), error.problem(), "take another checkpoint of the run");
        }
        std::int64_t stored = 0;
        for (const auto& [name, entry] : reader.tensors())
            stored += std::accumulate(entry.shape.begin(), entry.shape.end(), std::int64_t(1), std::multiplies<>());
        if (stored != modelCosts(config.model, 1).parameters)
            throw CheckpointError(
                file.string(), "its tensors do not fit its configuration", "take another checkpoint of the run");
    }
    auto model = emptyModel(config.model);
    readTensors(file, namedWeights(*model));
    return model;
}

} // namespace pha
