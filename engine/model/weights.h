// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/language_model.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace pha {

/// Every tensor of a model under the name that files use: "embedding", "layers.3.attention.query",
/// "layers.0.mixing.logits". One tensor per logical matrix, stored (out,in).
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
NamedTensors namedWeights(const LanguageModel& model);

/// A model without drawn weights, to be filled.
std::shared_ptr<LanguageModel> emptyModel(const ModelConfig& config);
/// Keeps in `dtype` what project() multiplies; states, norms and the like stay fp32. For inference.
void storeMatrices(LanguageModel& model, torch::Dtype dtype);
void copyWeights(const LanguageModel& from, LanguageModel& to);

/// fp32 tensors as safetensors, synced to disk.
void writeTensors(
    const std::filesystem::path& file, const NamedTensors& tensors, const std::map<std::string, std::string>& metadata);
/// Reads into tensors that already have their shapes. Throws CheckpointError naming the first missing, misshapen or,
/// unless they are to be left, extra one.
enum class Extra { Refuse, Leave };
void readTensors(const std::filesystem::path& file, const NamedTensors& tensors, Extra extra = Extra::Refuse);

/// model.safetensors: weights and, as metadata, the model configuration.
void writeModel(const std::filesystem::path& file, const LanguageModel& model, std::int64_t step);
/// Throws CheckpointError that names a field which the file's configuration has otherwise than run.json, whose model
/// this is: shapes alone do not tell how weights are read. Fields that an older version did not write are not compared.
void requireConfiguration(const std::filesystem::path& file, const ModelConfig& model);
/// Builds the model that the file describes. The counts of header and configuration must agree before anything is
/// allocated. Throws CheckpointError.
std::shared_ptr<LanguageModel> readModel(const std::filesystem::path& file);

} // namespace pha
