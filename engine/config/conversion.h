// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"

/// What a trained softmax Transformer can become: the same network with Hedgehog attention (models.md 9).
namespace pha {

/// The Hedgehog with everything else of `teacher`. Throws ConfigError if it has a layer without softmax attention, or
/// scores that products of features cannot stand for.
ModelConfig convertedModel(const ModelConfig& teacher);

/// How it is trained: as the Hedgehog preset nearest in size says, with the batches, context, seed and machine of the
/// teacher's run.
TrainingConfig convertedTraining(const RunConfig& teacher);

/// Makes a recipe gentle enough for weights that have learned already: AdamW at 6e-4 at most (models.md 9).
void fineTune(TrainingConfig& recipe);

/// Throws ConfigError naming the first field in which `student` is not what `teacher` becomes. The feature map is the
/// student's own.
void checkConversion(const ModelConfig& teacher, const ModelConfig& student);

} // namespace pha
