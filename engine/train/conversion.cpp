// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/conversion.h"

#include "engine/base/error.h"
#include "engine/model/weights.h"

namespace pha {

void takeOverWeights(const LanguageModel& teacher, LanguageModel& student)
{
    const torch::NoGradGuard guard;
    const std::string part = "attention";
    std::map<std::string, Tensor> given;
    for (auto [name, weight] : namedWeights(teacher)) {
        // In the names of its norms too: norm_attention, norm_post_attention_bias.
        if (const auto at = name.find(part); at != std::string::npos) name.replace(at, part.size(), "hedgehog");
        given.emplace(name, weight);
    }
    for (const auto& [name, weight] : namedWeights(student)) {
        if (name.ends_with(".feature_query") || name.ends_with(".feature_key")) continue;
        const auto found = given.find(name);
        if (found == given.end())
            throw Error("the model to be converted has nothing for " + name,
                "convert it to a model of its own shape, which is taken without --preset");
        weight.detach().copy_(found->second);
    }
}

void distil(
    LanguageModel& model, const Tensor& ids, const Tensor& targets, Pass pass, double share, Distillation& means)
{
    constexpr std::int64_t longest = 1024;
    const auto T = std::min(ids.size(1), longest);
    const double layerShare = share / double(model.config().layers);
    const std::function<void(const Tensor&, const Tensor&)> learn = [&](const Tensor& crossEntropy,
                                                                        const Tensor& entropy) {
        (crossEntropy * layerShare).backward(); // at once: a layer's matrices are gone before the next one's
        means.crossEntropy = means.crossEntropy.value_or(0) + layerShare * crossEntropy.item<double>();
        means.entropy = means.entropy.value_or(0) + layerShare * entropy.item<double>();
    };
    pass.distil = &learn;
    pass.tokenLosses = nullptr; // of the softmax model, and not of the whole batch
    pass.training = false;
    const torch::NoGradGuard guard; // the layers switch gradients on for their features
    const auto scored = targets.narrow(1, 0, T);
    const auto lossSum = model.lossSum(ids.narrow(1, 0, T), scored, pass).item<double>();
    // All that is asked for may stand behind the part that is read: features learn from it without.
    if (const auto count = (scored >= 0).sum().item<std::int64_t>(); count > 0)
        means.loss += share * lossSum / double(count);
}

} // namespace pha
