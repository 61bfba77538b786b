// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"

#include <vector>

/// What presets.cpp and its sisters share: the sizes, each with one recipe for every family, so that runs of one size
/// can be compared.
namespace pha {

inline constexpr std::int64_t gpt2Vocabulary = 50257; ///< pieces of GPT-2's tokenizer, which the paper uses

TrainingConfig tinyRecipe(); ///< minutes on a CPU
TrainingConfig smallRecipe(); ///< an afternoon on a CPU, minutes on a GPU
/// The paper's recipe for WikiText-103: 12 epochs of 4,798 updates. The warm-up is ours; the paper reports none.
TrainingConfig paperRecipe(double learningRate);
inline constexpr double rate90m = 5e-4, rate125m = 4.5e-4, rate180m = 4e-4; ///< the paper's, by size

Preset preset(
    const std::string& name, const ModelConfig& model, const TrainingConfig& training, const std::string& summary);

std::vector<Preset> baselinePresets(); ///< every family but pha and pha-lean

} // namespace pha
