// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"
#include "engine/model/language_model.h"

#include <filesystem>
#include <memory>
#include <string>

namespace pha {

/// A network in one file that needs no run directory: the tensors of model.safetensors, and as metadata the
/// configuration of the run and the tokenizer (base64).
struct ModelFile {
    std::shared_ptr<LanguageModel> model;
    RunConfig config;
    std::int64_t step = 0;
    std::shared_ptr<const Tokenizer> tokenizer;
    std::string note; ///< what the weights are: "mean of 3 checkpoints"
    std::string corpus {}; ///< fingerprint of the text that it was trained on, if known
};

/// Atomically and durably. Throws IoError.
void writeModelFile(const std::filesystem::path& file, const ModelFile& content);
/// Throws CheckpointError, also for a safetensors file without a tokenizer.
ModelFile readModelFile(const std::filesystem::path& file);

/// Gives `model` the mean, formed in double, of the weights in model files of its own shape. Throws CheckpointError
/// naming the first file that differs.
void averageWeights(LanguageModel& model, const std::vector<std::filesystem::path>& files);

/// The command `pha average`: checkpoints, runs (their best one) and model files into one model file.
void averageCheckpoints(const std::vector<std::filesystem::path>& checkpoints, const std::filesystem::path& out);

} // namespace pha
