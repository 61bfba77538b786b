// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/conversion.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cmath>

namespace pha {

namespace {

/// One softmax attention and nothing else but the main network.
bool attentionOnly(const ModelConfig& m)
{
    for (std::int64_t layer = 0; layer < m.layers; ++layer)
        if (const auto parts = layerParts(m, layer); parts.empty() || parts.front() != "attention"
            || std::any_of(parts.begin() + 1, parts.end(), [](const auto& part) { return part != "main"; }))
            return false;
    return true;
}

/// Fields that decide what a network of attention and feed-forward layers computes; the vocabulary is the tokenizer's.
constexpr const char* shared[] { "layers", "width", "query_heads", "kv_heads", "qk_mode", "positions", "rope_base",
    "max_positions", "main_width", "ffn_kind", "residual_mode", "norm_kind", "biases", "embedding_scale",
    "pruned_branches" };

} // namespace

ModelConfig convertedModel(const ModelConfig& teacher)
{
    const std::string ofTheModel = " of the model to be converted";
    if (!attentionOnly(teacher))
        throw ConfigError("family" + ofTheModel, inQuotes(teacher.family),
            "attention or transformer, whose layers are softmax attention");
    if (teacher.qkMode == "cosine")
        throw ConfigError("qk_mode" + ofTheModel, inQuotes(teacher.qkMode),
            "dot or qknorm, whose scores products of features can stand for");
    if (teacher.attentionSpan > 0)
        throw ConfigError("attention_span" + ofTheModel, std::to_string(teacher.attentionSpan),
            "0, since linear attention has no chunks to forget");
    auto student = teacher;
    student.family = "hedgehog";
    student.featureMap = ModelConfig().featureMap;
    return student;
}

TrainingConfig convertedTraining(const RunConfig& teacher)
{
    const auto size = [](const ModelConfig& m) { // of the layers; vocabularies differ with the text
        return std::log(double(m.layers) * double(m.width) * double(m.width));
    };
    const Preset* nearest = nullptr;
    const auto distance = [&](const Preset& p) { return std::abs(size(p.config.model) - size(teacher.model)); };
    for (const auto& candidate : presets())
        if (candidate.config.model.family == "hedgehog" && (!nearest || distance(candidate) < distance(*nearest)))
            nearest = &candidate;
    auto recipe = nearest->config.training;
    const auto& given = teacher.training;
    recipe.batchSize = given.batchSize;
    recipe.context = given.context;
    recipe.accumulate = given.accumulate;
    recipe.seed = given.seed;
    recipe.recompute = given.recompute;
    recipe.precision = given.precision;
    recipe.device = given.device;
    recipe.devices = given.devices;
    recipe.threads = given.threads;
    fineTune(recipe);
    return recipe;
}

void fineTune(TrainingConfig& recipe)
{
    recipe.optimizer = "adamw";
    recipe.learningRate = std::min(recipe.learningRate, 6e-4);
    recipe.warmupSteps = std::min<std::int64_t>(recipe.warmupSteps, 20);
}

void checkConversion(const ModelConfig& teacher, const ModelConfig& student)
{
    RunConfig expected, given;
    expected.model = convertedModel(teacher);
    given.model = student;
    if (student.family != "hedgehog")
        throw ConfigError("family", inQuotes(student.family), "hedgehog, which a softmax model is converted to");
    for (const auto* key : shared)
        if (const auto own = given.get(key), wanted = expected.get(key); own != wanted)
            throw ConfigError(key, own.dump(),
                wanted.dump() + " as in the model to be converted; without --preset its shape is taken");
}

} // namespace pha
