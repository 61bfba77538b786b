// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pha {

struct ModelConfig;

/// One part of one layer.
struct PartPlace {
    std::int64_t layer = 0;
    std::string part;
    bool operator==(const PartPlace&) const = default;
    std::string text() const; ///< "2:attention"
};

/// One step along the residual stream: a norm, one part or several mixed ones, a residual. A layer is a list of these.
/// The network is built from it and the costs are counted from it, so that they cannot drift apart.
struct Stage {
    std::vector<std::string> parts; ///< names of engine/config/parts.h, in that order
    bool mixed = false; ///< learned weights fuse the parts (models.md 5.1); otherwise there is exactly one
    /// Of a mix: all branches that share the weights. Those that were pruned keep their shares, so that the others have
    /// the weights that they had; as a muted branch leaves them, too.
    std::vector<std::string> sharers {};
};

/// A family is the rule that says what a layer is made of; everything else about a network is a field.
struct Family {
    std::string name, summary; ///< the summary is one sentence
    std::vector<Stage> (*stages)(const ModelConfig& model, std::int64_t layer);
};
const std::vector<Family>& families();
std::vector<std::string> familyNames();

/// What the network computes: the family's stages without the parts that were pruned, and without stages of which
/// nothing is left. Throws ConfigError for a family that does not exist.
std::vector<Stage> layerStages(const ModelConfig& model, std::int64_t layer);
std::vector<Stage> wholeStages(const ModelConfig& model, std::int64_t layer); ///< as before anything was pruned
/// The field pruned_branches. Throws ConfigError for what is not LAYER:BRANCH.
std::vector<PartPlace> prunedParts(const ModelConfig& model);
/// The field for the parts of a model that were pruned before and `more`, in the order of the layers.
std::string prunedField(const ModelConfig& model, const std::vector<PartPlace>& more);
/// Throws ConfigError unless every part that is pruned is one that the family has, and the rest is a network that
/// computes what the whole one does with these parts muted.
void checkPruned(const ModelConfig& model);
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
