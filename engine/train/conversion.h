// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/language_model.h"

#include <optional>

/// Turning a trained softmax Transformer into a Hedgehog (models.md 9): its weights are taken over, then the feature
/// maps alone learn to give its attention weights, then everything is fine-tuned as in any other run.
namespace pha {

/// Copies every weight: attention's and those of its norms to hedgehog, the others to their namesakes. Feature maps
/// stay as they are. Throws Error if the student has any other weight that the teacher has not.
void takeOverWeights(const LanguageModel& teacher, LanguageModel& student);

/// Means of an update, in nats; empty before anything was distilled.
struct Distillation {
    std::optional<double> crossEntropy; ///< of the linear weights under the softmax's, over layers, heads and queries
    std::optional<double> entropy; ///< of the softmax's weights: no features can bring the cross entropy below it
    double loss = 0; ///< of the softmax model, over the targets; 0 if none of them is in what was read
};

/// Adds `share` of the cross entropy's gradient to the feature maps, and of the means to `means`; nothing else gets a
/// gradient. The network acts as the softmax model that it was converted from, so its own weights are all that is
/// needed of the teacher. Works on whole (T,T) matrices, one layer at a time, and on the first 1024 tokens of longer
/// sequences.
void distil(
    LanguageModel& model, const Tensor& ids, const Tensor& targets, Pass pass, double share, Distillation& means);

} // namespace pha
