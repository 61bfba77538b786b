// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/model/weights.h"
#include "engine/train/optimizer.h"

#include <filesystem>

namespace pha {

/// What beside weights and moments decides the steps to come. `state.json` of a checkpoint.
struct TrainingState {
    std::int64_t step = 0, tokens = 0;
    double seconds = 0, bestNll = 0;
    Plateau plateau;
    std::int64_t metricsOffset = 0; ///< bytes of metrics.jsonl at this step: a resume cuts the file back to them
    std::int64_t updates = 0;
    Json data; ///< position in the training data
    std::vector<Tensor> random; ///< states of the generators of dropout masks, one a device
    std::string precision;
    int threads = 1;
    std::string device, corpus; ///< corpus: fingerprint
    Json settings; ///< all of training, as a user may have changed them while the run went on
    /// Of WeightAverages, of LossWatch, and what alerts need to know of the updates before.
    Json averages = Json::object(), watch = Json::object(), alerts = Json::object();
    std::string due = {}; ///< "evaluation" or "sample": what a stop left out at this step, with all that follows it
    bool best = false; ///< this is the best checkpoint so far; older ones do not say so
    std::int64_t devices = 1; ///< that shared it; written as the number of `random`
    std::string libtorch = {}; ///< that it was written with; of older checkpoints not known
};

/// Writes model.safetensors, optimizer.safetensors and state.json into an empty folder.
void writeTrainingState(const std::filesystem::path& folder, const LanguageModel& model, const Optimizer& optimizer,
    const TrainingState& state);
/// Reads them back into a model and an optimiser of the same shapes, or of fewer parts if `extra` may be left.
/// Throws CheckpointError.
void readTrainingState(const std::filesystem::path& folder, LanguageModel& model, Optimizer& optimizer,
    TrainingState& state, Extra extra = Extra::Refuse);

} // namespace pha
