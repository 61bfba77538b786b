// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/run_figures.h"

#include <optional>
#include <string>
#include <vector>

namespace pha {

/// A figure over the runs of a group that know it.
struct Spread {
    std::size_t count = 0;
    double mean = 0, least = 0, most = 0;
    double deviation = 0; ///< standard deviation as a sample shows it (n - 1); 0 of a single value
};
std::optional<Spread> spreadOf(const std::vector<double>& values); ///< nothing without any, or if one is not finite

/// Runs whose settings differ in nothing but the seed, the devices and threads that they train on, and what is kept of
/// them (checkpoints, samples). Each seed is there once: a second run with the same one repeats a course instead of
/// adding one. A fork stands alone, since its past is that of another run; where settings were changed by hand, only
/// runs with the same changes belong together.
struct SeedGroup {
    std::vector<const RunFigures*> runs; ///< in the order of their seeds
    /// What their names have in common: "rates-lr0.001" of "rates-lr0.001-s1", "rates-lr0.001-s2".
    std::string name() const;
    std::optional<Spread> spread(std::optional<double> (*value)(const RunFigures& run)) const;
};

/// The changes after which a run has another course than its settings say.
std::vector<SettingChange> changesOfCourse(const RunFigures& run);

/// In the order of the first run of each. The pointers are not owned.
std::vector<SeedGroup> groupSeeds(const std::vector<const RunFigures*>& runs);

} // namespace pha
