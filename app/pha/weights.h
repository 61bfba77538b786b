// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace pha::cli {

/// `pha inspect --weights`: how the numbers of every tensor are distributed, and how far they have moved since another
/// checkpoint. Loads no model, so any safetensors file will do.
class WeightsCommand {
public:
    void add(CLI::App& command);
    bool wanted() const;
    /// What can be said without a file. Throws Error.
    void check() const;
    int run(const std::string& target, bool json) const; ///< exit code

private:
    const CLI::App* command_ = nullptr;
    std::string names_, since_;
    bool ranks_ = false;
};

} // namespace pha::cli
