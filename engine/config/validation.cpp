// SPDX-License-Identifier: GPL-3.0-or-later
// What a configuration must be: each field in its range, and the rules between fields.
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/config/parts.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <type_traits>

namespace pha {

namespace {

/// Bytes of a text: several of them fit a run.json of the size that is read again.
constexpr std::size_t longestText = 64 * 1024;

void checkLength(const Field& field, const std::string& text)
{
    if (text.size() > longestText)
        throw ConfigError(field.name, "a text of " + std::to_string(text.size()) + " bytes",
            "at most " + std::to_string(longestText) + " bytes");
}

/// Every field on its own. Structs can be filled without set(), so this cannot be left to it.
template <class Group> void checkFields(const Group& group)
{
    std::remove_const_t<Group>::fields(group, [](const Field& field, const auto& member) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(member)>, std::string>) checkLength(field, member);
        field.check(Json(member));
    });
}

void checkBranches(const std::string& branches)
{
    const auto known = branchNames();
    const auto expectation = "some of " + joinList(known) + ", each at most once";
    const auto parts = splitList(branches);
    if (parts.empty()) throw ConfigError("branches", "", expectation);
    std::set<std::string> seen;
    for (const auto& part : parts)
        if (std::count(known.begin(), known.end(), part) == 0 || !seen.insert(part).second)
            throw ConfigError("branches", inQuotes(branches), expectation);
}

void checkHeads(const ModelConfig& m)
{
    if (m.width % m.queryHeads != 0)
        throw ConfigError("query_heads", std::to_string(m.queryHeads),
            "a number that divides the width " + std::to_string(m.width) + " without remainder");
    if (m.positions == "rope" && m.headWidth() % 2 != 0)
        throw ConfigError("query_heads", std::to_string(m.queryHeads),
            "heads of even width, which rotary positions need; " + std::to_string(m.width) + " / "
                + std::to_string(m.queryHeads) + " is " + std::to_string(m.headWidth()));
    if (m.queryHeads % m.kvHeads != 0)
        throw ConfigError("kv_heads", std::to_string(m.kvHeads),
            "a number that divides the " + std::to_string(m.queryHeads) + " query heads without remainder");
}

void checkAttentionLayers(const ModelConfig& m)
{
    const auto expectation = "different layers from 0 to " + std::to_string(m.layers - 1) + ", separated by commas";
    std::set<std::int64_t> seen;
    for (const auto& part : splitList(m.attentionLayers)) {
        const auto layer = parseInteger(part);
        const bool plain = layer && *layer >= 0 && *layer < m.layers && part == std::to_string(*layer);
        if (!plain || !seen.insert(*layer).second)
            throw ConfigError("attention_layers", inQuotes(m.attentionLayers), expectation);
    }
}

/// The prior's weights, each above 0 (a KL to 0 is infinite) and together 1.
std::vector<double> priorWeights(const std::string& prior)
{
    const std::string expectation = "numbers above 0 that add up to 1, separated by commas";
    std::vector<double> weights;
    double sum = 0;
    for (const auto& part : splitList(prior)) {
        const auto weight = parseNumber(part);
        if (!weight || !(*weight > 0)) throw ConfigError("prior", inQuotes(prior), expectation);
        weights.push_back(*weight);
        sum += *weight;
    }
    constexpr double rounding = 0.0101; // 0.33,0.33,0.33 is meant well
    if (!(std::abs(sum - 1) <= rounding)) throw ConfigError("prior", inQuotes(prior), expectation);
    return weights;
}

} // namespace

void ModelConfig::validate() const
{
    checkFields(*this);
    checkBranches(branches);
    checkAttentionLayers(*this);
    checkPruned(*this);
    const auto list = modelParts(*this);
    const auto has = [&](const char* part) { return std::count(list.begin(), list.end(), part) > 0; };
    if (has("attention") || has("hedgehog")) checkHeads(*this);
    if (has("hedgehog") && qkMode == "cosine")
        throw ConfigError("qk_mode", inQuotes(qkMode), "dot or qknorm, since linear attention has no scores to bound");
    if (has("h3") && width % h3HeadWidth != 0)
        throw ConfigError("h3_head_width", std::to_string(h3HeadWidth),
            "a number that divides the width " + std::to_string(width) + " without remainder");
    if (has("h3") && h3State % 2 != 0)
        throw ConfigError("h3_state", std::to_string(h3State), "an even number, since it counts pairs of states twice");
    if (has("gss") && gssKind == "mehta" && gssKernel == "s4d" && gssState % 2 != 0)
        throw ConfigError("gss_state", std::to_string(gssState), "an even number, since s4d keeps pairs of states");
}

void DataConfig::validate() const
{
    checkFields(*this);
    if (trim(data).empty()) throw ConfigError("data", "", "the name of a corpus or the path of a text file");
    if (textField.empty()) throw ConfigError("text_field", "", "the name of a field or a column, such as content");
}

void TrainingConfig::validate() const
{
    checkFields(*this);
    (void)priorWeights(prior);
    (void)skips();
    if (embeddingDropout < 0 && embeddingDropout != -1)
        throw ConfigError("embedding_dropout", exactNumber(embeddingDropout), "-1, or a number from 0 to 0.95");
    if (batchRamp > 0 && accumulate == 1)
        throw ConfigError(
            "batch_ramp", std::to_string(batchRamp), "0, since accumulate is 1 and the batch has nothing to grow to");
    if (devices > batchSize)
        throw ConfigError("devices", std::to_string(devices),
            "at most batch_size, which is " + std::to_string(batchSize) + ", since each takes whole sequences");
    if (schedule == "plateau" && evalEvery == 0)
        throw ConfigError(
            "eval_every", "0", "at least 1 with the schedule plateau, which lowers the rate by evaluations");
    if (averageKeep > 0 && averageTake > averageKeep)
        throw ConfigError("average_take", std::to_string(averageTake),
            "at most average_keep, which is " + std::to_string(averageKeep));
}

void RunConfig::validate() const
{
    model.validate();
    data.validate();
    training.validate();
    if (model.positions == "learned" && training.context > model.maxPositions)
        throw ConfigError("context", std::to_string(training.context),
            "at most the " + std::to_string(model.maxPositions) + " learned positions (max_positions)");
    if (training.distillSteps > 0 && model.family != "hedgehog")
        throw ConfigError("distill_steps", std::to_string(training.distillSteps),
            "0, since only the family hedgehog has feature maps that learn from softmax attention");
    if (training.distillSteps > training.steps)
        throw ConfigError("distill_steps", std::to_string(training.distillSteps),
            "at most steps, which is " + std::to_string(training.steps));
    const auto branches = model.branchList();
    const auto K = branches.size();
    if (training.priorWeight > 0 && priorWeights(training.prior).size() != K)
        throw ConfigError("prior", inQuotes(training.prior),
            K == 0 ? "prior_weight 0, since the family mixes no branches"
                   : std::to_string(K) + " numbers, one for each branch of " + joinList(branches));
    if (training.entropyBonus > 0 && K < 2)
        throw ConfigError("entropy_bonus", exactNumber(training.entropyBonus),
            K == 0 ? "0, since the family mixes no branches" : "0, since a single branch has no mixing entropy");
    if (training.branchDropout > 0 && K < 2)
        throw ConfigError("branch_dropout", exactNumber(training.branchDropout),
            K == 0 ? "0, since the family mixes no branches" : "0, since a single branch cannot be dropped");
    if (training.attentionCost > 0 && std::count(branches.begin(), branches.end(), "attention") == 0)
        throw ConfigError(
            "attention_cost", exactNumber(training.attentionCost), "0, since no branch of a mix is attention");
}

} // namespace pha
