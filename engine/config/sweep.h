// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

/// Several runs that differ in a few settings, planned at once: every combination of the values of some axes, each with
/// so many seeds. `pha sweep` and the window's queue make their runs from the same plan.
namespace pha {

/// A setting and the values that it takes in turn.
struct SweepAxis {
    std::string key; ///< a field's name, or "preset"
    std::vector<std::string> values; ///< each as short as it can be written: "0.001" of "1e-3"

    /// "learning_rate=0.0005,0.001". Where a semicolon occurs, semicolons separate and commas belong to the values;
    /// settings that are lists themselves (branches, prior) take no other separator. Throws ConfigError: an unknown
    /// key, a value that the field does not accept, one given twice.
    static SweepAxis parse(const std::string& text);
    static SweepAxis of(const std::string& key, const std::string& list);
};

using SweepValues = std::vector<std::pair<std::string, std::string>>; ///< a value of each axis, in their order

struct PlannedRun {
    std::string name; ///< "rates-lr0.001-token-s2"; the same for the same values, whatever else is planned
    SweepValues values;
    RunConfig config; ///< valid, with its seed
};

struct SweepPlan {
    std::string name;
    /// Every combination with the first seed, then with the second: whoever stops early can compare all of them.
    std::vector<PlannedRun> runs;
    std::vector<std::string> notes; ///< axes that change nothing: "mix_mode changes nothing in pha ..."
};

inline constexpr std::int64_t mostSweepRuns = 1000;

/// `configOf` gives the settings of one combination; each is validated. The seeds count up from the one that it has.
/// Throws ConfigError, and Error (Usage) that names the combination whose settings do not go together.
SweepPlan planSweep(const std::string& name, const std::vector<SweepAxis>& axes, std::int64_t seeds,
    const std::function<RunConfig(const SweepValues& values)>& configOf);

/// "learning_rate 0.001, mix_mode token".
std::string sweepValuesText(const SweepValues& values);

} // namespace pha
