// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/update_work.h"

#include <algorithm>
#include <cmath>

namespace pha {

namespace {

/// Of each mix, in the order in which the layers tell their mean weights: the share of attention counts. Not where it
/// was pruned: there it costs nothing.
std::vector<bool> attends(const ModelConfig& model)
{
    std::vector<bool> attend;
    for (std::int64_t layer = 0; layer < model.layers; ++layer)
        for (const auto& stage : layerStages(model, layer))
            if (stage.mixed) attend.push_back(std::count(stage.parts.begin(), stage.parts.end(), "attention") > 0);
    return attend;
}

} // namespace

double UpdateWork::fade(std::int64_t step) const
{
    return std::max(0.0, 1 - 2 * double(step) / double(config_.training.steps));
}

Tensor UpdateWork::operator()(
    Learner& learner, const std::vector<Tensor>& inputs, torch::Dtype matrix, const Shape& shape) const
{
    const auto& t = config_.training;
    Pass pass;
    pass.matrix = matrix;
    pass.training = true;
    pass.recompute = t.recompute;
    pass.dropout = t.dropout;
    pass.embeddingDropout = t.embeddingDropout < 0 ? t.dropout : t.embeddingDropout;
    pass.branchDropout = t.branchDropout;
    pass.generator = learner.generator;
    pass.tokenLosses = &learner.tokenLosses;
    const double rows = double(inputs.at(inputs.size() - 2).size(0)); // members' shares of a batch may be unequal
    const double share = rows / double(t.batchSize * std::int64_t(shape.microBatches));
    if (shape.distilling) return distilled(learner, inputs, pass, share);
    auto& optimizer = *learner.optimizer;
    if (!regularised()) return plainUpdate(*learner.model, optimizer, pass, inputs, {}, learner.sum);
    std::vector<Tensor> means;
    pass.meanWeights = &means;
    const auto extra = [&] {
        const auto sum = regulariser(learner, means, inputs.front()) * share;
        means.clear();
        return sum;
    };
    return plainUpdate(*learner.model, optimizer, pass, { inputs.begin() + 1, inputs.end() }, extra, learner.sum);
}

Tensor UpdateWork::distilled(Learner& learner, const std::vector<Tensor>& inputs, const Pass& pass, double share) const
{
    learner.optimizer->zeroGrad();
    learner.tokenLosses.clear(); // of an update before; there are none of the softmax model
    learner.distilled = {};
    for (std::size_t i = 0; i + 1 < inputs.size(); i += 2)
        distil(*learner.model, inputs[i], inputs[i + 1], pass, share, learner.distilled);
    auto all = learner.optimizer->gradients();
    all.push_back(torch::full({}, learner.distilled.loss, inputs.back().options()));
    if (learner.sum) learner.sum(all);
    return learner.optimizer->apply(all.back(), inputs.back());
}

/// models.md 5.4, summed over the layers' mean weights (K): entropy bonus, KL to a prior, cost of attention.
Tensor UpdateWork::regulariser(const Learner& learner, const std::vector<Tensor>& meanWeights, const Tensor& fade) const
{
    const auto& t = config_.training;
    const auto names = config_.model.branchList();
    const auto attend = attends(config_.model);
    const auto K = double(names.size());
    Tensor sum = torch::zeros({}, torch::dtype(torch::kFloat).device(learner.device));
    for (std::size_t mix = 0; mix < meanWeights.size(); ++mix) {
        const auto w = meanWeights[mix] / meanWeights[mix].sum();
        const auto entropy = -(w * (w + 1e-12).log()).sum() / std::log(std::max(2.0, K));
        sum = sum - t.entropyBonus * fade * entropy;
        if (t.priorWeight > 0) sum = sum + t.priorWeight * (w * ((w + 1e-12) / learner.prior).log()).sum();
        for (std::size_t k = 0; k < names.size(); ++k)
            if (names[k] == "attention" && attend.at(mix)) sum = sum + t.attentionCost * w[std::int64_t(k)];
    }
    return sum / double(std::max<std::size_t>(1, meanWeights.size()));
}

} // namespace pha
