// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/seed_groups.h"

#include <algorithm>
#include <cmath>

namespace pha {

namespace {

/// How long a process goes and on what, which each resume may say anew, and what else is kept of the run: these make no
/// other course. The precision may be what is compared.
constexpr const char* besideTheCourse[] { "stop_after", "threads", "device", "devices", "save_every",
    "keep_checkpoints", "sample_every", "sample_prompt", "mix_every", "autopsies" };

/// What its settings are now, and how they came to be so.
Json courseOf(const RunFigures& run)
{
    auto config = run.config;
    const RunConfig usual;
    for (const auto* key : besideTheCourse) config.setJson(key, usual.get(key));
    config.training.seed = usual.training.seed;
    auto course = config.toJson();
    for (const auto& change : changesOfCourse(run)) course["changes"].push_back(change.text());
    return course;
}

bool hasSeed(const SeedGroup& group, std::int64_t seed)
{
    return std::any_of(group.runs.begin(), group.runs.end(),
        [seed](const RunFigures* run) { return run->config.training.seed == seed; });
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
    if (values.size() < 2) return spread;
    double squares = 0;
    for (const auto value : values) squares += (value - spread.mean) * (value - spread.mean);
    spread.deviation = std::sqrt(squares / double(values.size() - 1));
    return spread;
}

std::string SeedGroup::name() const
{
    if (runs.empty()) return {};
    return runs.front()->parent || !changesOfCourse(*runs.front()).empty() ? runs.front()->name
                                                                           : withoutSeed(*runs.front());
}

std::optional<Spread> SeedGroup::spread(std::optional<double> (*value)(const RunFigures& run)) const
{
    std::vector<double> values;
    for (const auto* run : runs)
        if (const auto known = value(*run)) values.push_back(*known);
    return spreadOf(values);
}

std::vector<SettingChange> changesOfCourse(const RunFigures& run)
{
    auto changes = run.changes;
    std::erase_if(changes, [](const SettingChange& change) {
        return std::count(std::begin(besideTheCourse), std::end(besideTheCourse), change.key) > 0;
    });
    return changes;
}

std::vector<SeedGroup> groupSeeds(const std::vector<const RunFigures*>& runs)
{
    std::vector<SeedGroup> groups;
    std::vector<std::optional<Json>> settings; // none: a group that nobody joins
    for (const auto* run : runs) {
        const auto own = run->parent ? std::optional<Json>() : courseOf(*run);
        std::size_t place = 0;
        while (place < groups.size()
            && !(own && settings[place] == own && !hasSeed(groups[place], run->config.training.seed)))
            ++place;
        if (place == groups.size()) {
            settings.push_back(own);
            groups.emplace_back();
        }
        groups[place].runs.push_back(run);
    }
    for (auto& group : groups)
        std::stable_sort(group.runs.begin(), group.runs.end(),
            [](const auto* a, const auto* b) { return a->config.training.seed < b->config.training.seed; });
    return groups;
}

} // namespace pha
