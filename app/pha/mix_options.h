// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace pha::cli {

/// --mute LAYER:BRANCH and --mix LAYER:a,b,c of the commands that can change a model's mixing weights.
class MixOptions {
public:
    void add(CLI::App& command);
    /// What can be said without the model: form and numbers. Throws ConfigError.
    void check() const;
    /// Layers and branches of this model. Throws ConfigError.
    std::vector<MixOverride> resolve(const ModelConfig& model) const;
    std::string description() const; ///< "mute all:attention"

private:
    std::vector<std::string> mutes_, mixes_;
};

} // namespace pha::cli
