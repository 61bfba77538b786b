// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/seed_groups.h"

#include <algorithm>
#include <cmath>

namespace pha {

namespace {

Json settingsWithoutSeed(const RunFigures& run)
{
    auto config = run.config;
    config.training.seed = 0;
    config.training.stopAfter = 0; // of a process, not of the run
    return config.toJson();
}

/// "rates-lr0.001" of "rates-lr0.001-s2" with the seed 2; other names stay.
std::string withoutSeed(const RunFigures& run)
{
    const auto ending = "-s" + std::to_string(run.config.training.seed);
    return run.name.size() > ending.size() && run.name.ends_with(ending)
        ? run.name.substr(0, run.name.size() - ending.size())
        : run.name;
}

} // namespace

std::optional<Spread> spreadOf(const std::vector<double>& values)
{
    if (values.empty()) return std::nullopt;
    if (!std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); }))
        return std::nullopt;
    Spread spread { values.size(), 0, values.front(), values.front() };
    for (const auto value : values) {
        spread.mean += value / double(values.size());
        spread.least = std::min(spread.least, value);
        spread.most = std::max(spread.most, value);
    }
    return spread;
}

std::string SeedGroup::name() const { return runs.empty() ? std::string() : withoutSeed(*runs.front()); }

std::optional<Spread> SeedGroup::spread(std::optional<double> (*value)(const RunFigures& run)) const
{
    std::vector<double> values;
    for (const auto* run : runs)
        if (const auto known = value(*run)) values.push_back(*known);
    return spreadOf(values);
}

std::vector<SeedGroup> groupSeeds(const std::vector<const RunFigures*>& runs)
{
    std::vector<SeedGroup> groups;
    std::vector<Json> settings;
    for (const auto* run : runs) {
        const auto own = settingsWithoutSeed(*run);
        const auto found = std::find(settings.begin(), settings.end(), own);
        if (found == settings.end()) {
            settings.push_back(own);
            groups.push_back({ { run } });
        } else {
            groups[std::size_t(found - settings.begin())].runs.push_back(run);
        }
    }
    for (auto& group : groups)
        std::stable_sort(group.runs.begin(), group.runs.end(),
            [](const auto* a, const auto* b) { return a->config.training.seed < b->config.training.seed; });
    return groups;
}

} // namespace pha
