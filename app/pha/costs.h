// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/pha/mix_options.h"

#include "engine/engine.h"

#include <optional>

namespace pha::cli {

/// `pha inspect --costs`: what every part of every layer takes in a forward pass, and what it is worth.
class CostsCommand {
public:
    void add(CLI::App& command);
    bool wanted() const { return wanted_; }
    /// What can be said without the model. Throws Error.
    void check() const;
    /// Exit code. `target` is what the model was loaded from, `left` names what would be left out together, `maxTokens`
    /// are scored for each part.
    int run(LoadedModel& model, const std::string& target, const MixOptions& left,
        std::optional<std::int64_t> maxTokens, bool json) const;

private:
    const CLI::App* command_ = nullptr;
    bool wanted_ = false;
    CostOptions options_;
    std::int64_t repeats_ = CostOptions().repeats;
};

} // namespace pha::cli
