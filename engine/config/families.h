// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pha {

struct ModelConfig;

/// One step along the residual stream: a norm, one part or several mixed ones, a residual. A layer is a list of these.
/// The network is built from it and the costs are counted from it, so that they cannot drift apart.
struct Stage {
    std::vector<std::string> parts; ///< names of engine/config/parts.h, in that order
    bool mixed = false; ///< learned weights fuse the parts (models.md 5.1); otherwise there is exactly one
};

/// A family is the rule that says what a layer is made of; everything else about a network is a field.
struct Family {
    std::string name, summary; ///< the summary is one sentence
    std::vector<Stage> (*stages)(const ModelConfig& model, std::int64_t layer);
};
const std::vector<Family>& families();
std::vector<std::string> familyNames();

/// Throws ConfigError for a family that does not exist.
std::vector<Stage> layerStages(const ModelConfig& model, std::int64_t layer);
/// Every part of a layer in the order of its stages: what can be muted or weighted there.
std::vector<std::string> layerParts(const ModelConfig& model, std::int64_t layer);
/// What the mixing display shows of a layer: the branches of its mix or, where nothing is mixed, every part.
std::vector<std::string> shownParts(const ModelConfig& model, std::int64_t layer);
/// Every part of a model once, in the order of engine/config/parts.h.
std::vector<std::string> modelParts(const ModelConfig& model);
/// Throws ConfigError naming the parts that there are if a layer (-1: every layer) has no such part.
void checkPart(const ModelConfig& model, std::int64_t layer, const std::string& part);
/// "gss + attention + ffn, main": the stages of a layer in words.
std::string layerWords(const ModelConfig& model, std::int64_t layer);

/// Whether a layer of gss-hybrid or h3 holds attention: field attention_layers, or the rule of models.md 19.19.
bool holdsAttention(const ModelConfig& model, std::int64_t layer);

} // namespace pha
