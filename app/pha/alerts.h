// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>

namespace pha::cli {

/// `pha inspect --alerts` and `--alert STEP`: the updates of a run that were not like the others, and why. Loads no
/// model.
class AlertsCommand {
public:
    void add(CLI::App& command);
    bool wanted() const;
    int run(const std::string& target, bool json) const; ///< exit code

private:
    const CLI::App* command_ = nullptr;
    bool all_ = false;
    std::int64_t step_ = 0;
};

} // namespace pha::cli
