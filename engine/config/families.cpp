// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/families.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/config/parts.h"

#include <algorithm>

namespace pha {

namespace {

using Stages = std::vector<Stage>;

Stages plain(std::vector<std::string> parts)
{
    Stages stages;
    for (auto& part : parts) stages.push_back({ { std::move(part) }, false });
    return stages;
}

/// The feed-forward network that ends a layer, unless main_width is 0.
Stages withMain(Stages stages, const ModelConfig& m)
{
    if (m.mainWidth > 0) stages.push_back({ { "main" }, false });
    return stages;
}

Stages phaStages(const ModelConfig& m, std::int64_t) { return withMain({ { m.mixBranches(), true } }, m); }
Stages attentionStages(const ModelConfig& m, std::int64_t) { return withMain(plain({ "attention" }), m); }
Stages sequentialStages(const ModelConfig& m, std::int64_t) { return withMain(plain({ "attention", "gss" }), m); }
Stages gssStages(const ModelConfig&, std::int64_t) { return plain({ "gss" }); }
Stages h3Stages(const ModelConfig& m, std::int64_t layer)
{
    return withMain(plain({ holdsAttention(m, layer) ? "attention" : "h3" }), m);
}
Stages hedgehogStages(const ModelConfig& m, std::int64_t) { return withMain(plain({ "hedgehog" }), m); }
Stages gssHybridStages(const ModelConfig& m, std::int64_t layer)
{
    return holdsAttention(m, layer) ? attentionStages(m, layer) : gssStages(m, layer);
}

} // namespace

const std::vector<Family>& families()
{
    static const std::vector<Family> all {
        { "pha", "Branches run side by side and learned weights mix them; a feed-forward network follows.", phaStages },
        { "pha-lean", "Our leaner PHA: a narrow GSS beside attention, no auxiliary network, more layers.", phaStages },
        { "attention", "The attention-only twin of PHA: same scores and networks, nothing to mix.", attentionStages },
        { "transformer", "The decoder-only Transformer of GPT-2's class.", attentionStages },
        { "gss", "Gated state space layers alone, which need no feed-forward network.", gssStages },
        { "gss-hybrid", "Gated state space layers with a few Transformer layers among them.", gssHybridStages },
        { "h3", "Shift and diagonal state spaces with multiplicative gates, and a few attention layers.", h3Stages },
        { "hedgehog", "Linear attention with learned features, from scratch or converted from softmax attention.",
            hedgehogStages },
        { "sequential", "Attention, GSS and a feed-forward network one after the other in every layer.",
            sequentialStages },
    };
    return all;
}

std::vector<std::string> familyNames()
{
    std::vector<std::string> names;
    for (const auto& family : families()) names.push_back(family.name);
    return names;
}

std::string PartPlace::text() const { return std::to_string(layer) + ":" + part; }

std::vector<Stage> wholeStages(const ModelConfig& model, std::int64_t layer)
{
    for (const auto& family : families()) {
        if (family.name != model.family) continue;
        auto stages = family.stages(model, layer);
        for (auto& stage : stages)
            if (stage.mixed) stage.sharers = stage.parts;
        return stages;
    }
    throw ConfigError("family", inQuotes(model.family), "one of " + joinList(familyNames()));
}

std::vector<Stage> layerStages(const ModelConfig& model, std::int64_t layer)
{
    auto stages = wholeStages(model, layer);
    for (const auto& pruned : prunedParts(model))
        for (auto& stage : stages)
            if (pruned.layer == layer) std::erase(stage.parts, pruned.part);
    std::erase_if(stages, [](const Stage& stage) { return stage.parts.empty(); });
    return stages;
}

std::vector<PartPlace> prunedParts(const ModelConfig& model)
{
    std::vector<PartPlace> pruned;
    for (const auto& item : splitList(model.prunedBranches)) {
        const auto colon = std::min(item.find(':'), item.size());
        const auto layer = parseInteger(item.substr(0, colon));
        if (!layer || *layer < 0 || colon == item.size())
            throw ConfigError("pruned_branches", inQuotes(model.prunedBranches),
                "LAYER:BRANCH, such as 2:attention, several separated by commas");
        pruned.push_back({ *layer, item.substr(colon + 1) });
    }
    return pruned;
}

std::string prunedField(const ModelConfig& model, const std::vector<PartPlace>& more)
{
    auto all = prunedParts(model);
    all.insert(all.end(), more.begin(), more.end());
    auto whole = model;
    whole.prunedBranches.clear();
    std::vector<std::string> items;
    for (std::int64_t layer = 0; layer < model.layers; ++layer)
        for (const auto& part : layerParts(whole, layer))
            if (const PartPlace place { layer, part }; std::count(all.begin(), all.end(), place) > 0)
                items.push_back(place.text());
    return joinList(items, ",");
}

void checkPruned(const ModelConfig& model)
{
    const auto pruned = prunedParts(model);
    if (pruned.empty()) return;
    auto whole = model;
    whole.prunedBranches.clear();
    const auto refuse = [&](const std::string& expectation) {
        throw ConfigError("pruned_branches", inQuotes(model.prunedBranches), expectation);
    };
    for (const auto& [layer, part] : pruned) {
        if (layer >= model.layers) refuse("layers from 0 to " + std::to_string(model.layers - 1));
        const auto known = layerParts(whole, layer);
        if (std::count(known.begin(), known.end(), part) != 1)
            refuse("in layer " + std::to_string(layer) + " some of " + joinList(known));
        if (std::count(pruned.begin(), pruned.end(), PartPlace { layer, part }) > 1) refuse("each part at most once");
    }
    if (modelParts(model).empty()) refuse("at least one part that stays");
    // Where the stream itself is scaled or normed, an empty stage still does something to it.
    const bool identity = model.residualMode == "prenorm" || model.residualMode == "prenorm_scaled";
    for (std::int64_t layer = 0; layer < model.layers && !identity; ++layer)
        if (layerStages(model, layer).size() < wholeStages(model, layer).size())
            refuse("a part that stays in every stage of layer " + std::to_string(layer) + ", as the residual form "
                + model.residualMode + " wants");
}

std::vector<std::string> layerParts(const ModelConfig& model, std::int64_t layer)
{
    std::vector<std::string> all;
    for (const auto& stage : layerStages(model, layer)) all.insert(all.end(), stage.parts.begin(), stage.parts.end());
    return all;
}

std::vector<std::string> shownParts(const ModelConfig& model, std::int64_t layer)
{
    for (const auto& stage : layerStages(model, layer))
        if (stage.mixed) return stage.parts;
    return layerParts(model, layer);
}

std::vector<std::string> modelParts(const ModelConfig& model)
{
    std::vector<std::string> present;
    for (std::int64_t layer = 0; layer < model.layers; ++layer)
        for (auto& part : layerParts(model, layer)) present.push_back(std::move(part));
    std::vector<std::string> ordered;
    for (const auto& part : parts())
        if (std::count(present.begin(), present.end(), part.name) > 0) ordered.push_back(part.name);
    return ordered;
}

void checkPart(const ModelConfig& model, std::int64_t layer, const std::string& part)
{
    const auto known = layer < 0 ? modelParts(model) : layerParts(model, layer);
    if (std::count(known.begin(), known.end(), part) > 0) return;
    const auto where = layer < 0 ? "of family " + model.family : "in layer " + std::to_string(layer);
    throw ConfigError("branch", inQuotes(part), "one of " + joinList(known) + ", the parts " + where);
}

std::string layerWords(const ModelConfig& model, std::int64_t layer)
{
    std::vector<std::string> stages;
    for (const auto& stage : layerStages(model, layer)) stages.push_back(joinList(stage.parts, " + "));
    return stages.empty() ? "nothing" : joinList(stages);
}

bool holdsAttention(const ModelConfig& model, std::int64_t layer)
{
    if (model.attentionLayers.empty()) return layer == 1 || layer == 1 + model.layers / 2;
    const auto chosen = splitList(model.attentionLayers);
    return std::count(chosen.begin(), chosen.end(), std::to_string(layer)) > 0;
}

} // namespace pha
