// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/weights.h"

namespace pha {

/// What of some safetensors files became weights of a network.
struct ImportReport {
    std::vector<std::string> taken, absent, misshapen, unused; ///< tensors of the network, the last: of the files
    /// "40 of 42 tensors; not in the file: embedding; another shape: layers.0.main.up; not used: lm_head": long lists
    /// are cut.
    std::string text() const;
};

/// Gives `model` the tensors of the files that have the name and the shape of one of its own, in any floating type; the
/// others keep their values. Throws CheckpointError if none has, or if two files have one of the same name.
ImportReport importWeights(LanguageModel& model, const std::vector<std::filesystem::path>& files);

} // namespace pha
