// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/pha/mix_options.h"

#include "engine/engine.h"

#include <optional>
#include <string>

namespace pha::cli {

/// `pha inspect --text`: where every part looks while a text is read, what it pushes, what each layer would say, and
/// how large the numbers in it are.
class LookCommand {
public:
    void add(CLI::App& command);
    bool wanted() const; ///< a text is given
    /// What can be said without the model; `tokensAndMutes` are another command's to use. Throws Error.
    void check(bool tokensAndMutes) const;
    const MixOptions& mix() const { return mix_; }
    std::optional<std::int64_t> givenTokens() const; ///< --max-tokens
    /// Exit code. Results on stdout, maps into the file that was asked for.
    int run(LoadedModel& model, bool json) const;

private:
    std::string text() const;

    const CLI::App* command_ = nullptr;
    std::string text_, file_, out_;
    std::int64_t maxTokens_ = LookOptions().maxTokens;
    bool lens_ = false, activations_ = false;
    MixOptions mix_;
};

} // namespace pha::cli
