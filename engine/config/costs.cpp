// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/config.h"

#include "engine/base/error.h"
#include "engine/config/parts.h"

#include <algorithm>

/// Counting without building a network. Section numbers are those of models.md.
namespace pha {

namespace {

/// Rows times vocabulary of the logits that the loss holds at one time.
constexpr std::int64_t logitsAtOnce = std::int64_t(1) << 25;

std::int64_t mixingParameters(const ModelConfig& m, std::int64_t K)
{
    if (m.mixMode == "fixed") return 0;
    if (m.mixMode.starts_with("channel")) return K * m.width;
    if (m.mixMode.starts_with("token")) return K * m.width + K;
    return K;
}

/// Gain of a norm of the residual stream, and its bias if it is a LayerNorm.
std::int64_t normParameters(const ModelConfig& m) { return m.normKind == "layernorm" ? 2 * m.width : m.width; }

/// Calls visit(stage) for every stage of every layer.
template <class Visit> void eachStage(const ModelConfig& m, Visit&& visit)
{
    for (std::int64_t layer = 0; layer < m.layers; ++layer)
        for (const auto& stage : layerStages(m, layer)) visit(stage);
}

/// Bytes of activations per token that backward needs [11.4]: a norm's input and output and a dropout mask for each
/// stage; outputs and normed outputs of the branches of a mix. Recomputed, what enters each layer and attention's
/// results stay, and one layer at a time is whole.
double activationBytes(const ModelConfig& m, const CostBasis& basis, bool recompute)
{
    const double D = double(m.width), row = basis.wide * 2 * D;
    double all = 0, kept = 0, largest = 0;
    for (std::int64_t layer = 0; layer < m.layers; ++layer) {
        double bytes = 0;
        kept += row;
        for (const auto& stage : layerStages(m, layer)) {
            bytes += basis.wide * 4 * D + D;
            if (stage.mixed) bytes += basis.wide * 4 * D * double(stage.parts.size()) + D;
            for (const auto& part : stage.parts) {
                bytes += findPart(part)->costs(m, basis).activationBytes;
                if (part == "attention") kept += row + 4 * double(m.queryHeads);
            }
        }
        all += bytes;
        largest = std::max(largest, bytes);
    }
    return recompute ? kept + largest : all;
}

} // namespace

ModelCosts modelCosts(const ModelConfig& m, std::int64_t context)
{
    m.validate();
    if (context < 1) throw ConfigError("context", std::to_string(context), "an integer of at least 1");
    const CostBasis basis { double(context), 1 };
    ModelCosts costs;
    const auto add = [&](const std::string& name, std::int64_t count) {
        auto at = std::find_if(costs.parts.begin(), costs.parts.end(), [&](const auto& p) { return p.part == name; });
        if (at == costs.parts.end()) at = costs.parts.insert(at, { name, 0 });
        at->count += count;
        costs.parameters += count;
    };
    add("embedding", m.vocabulary * m.width);
    if (m.positions == "learned") add("positions", m.maxPositions * m.width);
    for (const auto& part : modelParts(m)) add(findPart(part)->countedAs, 0); // the order of displays
    add("norms", normParameters(m)); // before the head
    std::int64_t frozen = 0;
    eachStage(m, [&](const Stage& stage) {
        add("norms", normParameters(m));
        for (const auto& name : stage.parts) {
            const auto part = findPart(name)->costs(m, basis);
            add(findPart(name)->countedAs, part.parameters);
            costs.forwardFlopsPerToken += part.flops;
            costs.decodeFlopsPerToken += part.decodeFlops;
            costs.cacheElementsPerToken += part.cacheElements;
            costs.fixedStateReals += part.stateReals;
        }
        if (!stage.mixed) return;
        const auto K = std::int64_t(stage.sharers.size()), gains = std::int64_t(stage.parts.size()) * m.width;
        add("norms", gains);
        if (!m.branchNormAffine) frozen += gains;
        add("mixing", mixingParameters(m, K));
        if (!m.mixMode.starts_with("token")) return;
        costs.forwardFlopsPerToken += 2 * double(K * m.width);
        costs.decodeFlopsPerToken += 2 * double(K * m.width);
    });
    costs.trainable = costs.parameters - frozen;
    costs.headFlops = 2 * double(m.vocabulary) * double(m.width);
    costs.forwardFlopsPerToken += costs.headFlops;
    costs.decodeFlopsPerToken += costs.headFlops;
    return costs;
}

double trainingBytes(const RunConfig& config)
{
    config.validate();
    const auto& m = config.model;
    const auto& t = config.training;
    const double wide = t.precision == "bf16" ? 1 : 2; // auto may end in fp32: count the larger
    const auto rows = (t.batchSize + t.devices - 1) / t.devices; // of the device that has most
    const double tokens = double(rows) * double(t.context);
    const double states = (t.emaDecay > 0 ? 20 : 16) * double(modelCosts(m, t.context).parameters);
    const double activations =
        tokens * activationBytes(m, { double(t.context), wide }, t.recompute && !t.regularised());
    // The loss holds one chunk of logits twice (as log-probabilities and as gradient) and the embedding's gradient in
    // fp32.
    const auto chunk = std::clamp<std::int64_t>(logitsAtOnce / m.vocabulary, 64, 8192);
    const double logits = 8 * std::min(double(chunk), tokens) * double(m.vocabulary);
    // Distillation holds the attention matrices of one layer: scores, both weights, their logarithm and gradients,
    // fp32.
    const double T = std::min(double(t.context), 1024.0);
    const double matrices = t.distillSteps > 0 ? 7 * 4 * double(rows * m.queryHeads) * T * T : 0;
    return states + activations + logits + matrices + 4 * double(m.vocabulary) * double(m.width);
}

double checkpointBytes(const RunConfig& config)
{
    // Weights, two moments and the moving average, in fp32.
    return (config.training.emaDecay > 0 ? 16 : 12)
        * double(modelCosts(config.model, config.training.context).parameters);
}

double diskBytes(const RunConfig& config)
{
    const auto& t = config.training;
    const auto times = [&](std::int64_t every) { return every > 0 ? (t.steps + every - 1) / every : 1; };
    // The newest ones, the best and the one that is written; no more than there will be saves, of which one may be
    // asked for.
    const auto checkpoints = std::min(t.keepCheckpoints + 2, times(t.saveEvery) + 1);
    // Weights that the newest checkpoint names stay until the next one stands.
    const auto parts = std::min(2 * t.averageKeep, times(t.evalEvery)) + std::min(2 * t.lawaCount, times(t.lawaEvery));
    const auto means = (t.averageKeep > 0) + (t.emaDecay > 0) + (t.lawaCount > 0);
    return double(checkpoints) * checkpointBytes(config)
        + 4 * double(parts + means) * double(modelCosts(config.model, t.context).parameters);
}

} // namespace pha
