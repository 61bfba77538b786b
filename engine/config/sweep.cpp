// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/sweep.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/base/utf8.h"
#include "engine/config/field_use.h"
#include "engine/config/tag.h"

#include <algorithm>
#include <set>

namespace pha {

namespace {

constexpr std::size_t longestName = 120; ///< file names of 255 bytes have to hold what is written beside a run

/// Settings whose values are lists with commas.
bool isList(const std::string& key)
{
    static const std::set<std::string> keys { "branches", "attention_layers", "pruned_branches", "prior", "skip_data" };
    return keys.count(key) > 0;
}

const Field* fieldOf(const std::string& key)
{
    const auto& all = allFields();
    const auto found = std::find_if(all.begin(), all.end(), [&](const GroupedField& f) { return f.field.name == key; });
    return found == all.end() ? nullptr : &found->field;
}

std::vector<std::string> separated(const std::string& key, const std::string& list)
{
    const bool semicolons = isList(key) || list.find(';') != std::string::npos;
    auto values = splitList(list, semicolons ? ';' : ',');
    if (semicolons && values.size() > 1 && values.back().empty()) values.pop_back(); // "a,b;" is one value
    if (values.empty()) values.emplace_back();
    return values;
}

std::string textOf(const Json& value)
{
    if (value.is_string()) return value.get<std::string>();
    return value.is_number_float() ? exactNumber(value.get<double>()) : value.dump();
}

std::string canonical(const std::string& key, const std::string& value)
{
    if (key == "preset") return findPreset(value).name;
    RunConfig config; // which knows the field's type, and refuses keys that there are not
    config.set(key, value);
    return textOf(config.get(key));
}

void refuseKey(const std::string& key)
{
    if (key == "seed")
        throw Error("seed is no axis of a sweep", "ask for several seeds by their number, which count up from seed",
            ExitCode::Usage);
    if (key == "stop_after")
        throw Error("stop_after is no axis of a sweep", "set it for all runs, or leave it out", ExitCode::Usage);
}

/// "lr" of learning_rate; a single word stays.
std::string initials(const std::string& key)
{
    if (key.find('_') == std::string::npos) return key;
    std::string letters;
    for (const auto& word : splitList(key, '_')) letters += word.substr(0, 1);
    return letters;
}

/// Without what a folder, a tag or a shell would take for something else.
std::string plain(const std::string& text)
{
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || byte >= 0x80
            || c == '.' || c == '_' || c == '+' || c == '-';
        out += fits ? c : c == ',' ? '+' : '-';
    }
    return out;
}

/// The last part of a path without its ending.
std::string stem(const std::string& text)
{
    const auto slash = text.find_last_of('/');
    if (slash == std::string::npos) return text;
    const auto name = text.substr(slash + 1);
    const auto dot = name.find_last_of('.');
    return dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
}

/// A value in the name of a run: words speak for themselves, numbers need to say of what.
std::string label(const std::string& key, const std::string& word, const std::string& value)
{
    const auto* field = fieldOf(key);
    if (!field || field->kind == Field::Kind::Choice) return plain(value);
    if (field->kind == Field::Kind::Boolean) return value == "true" ? key : "no-" + key;
    if (value.empty()) return "no-" + key;
    if (key == "data" || key == "tokenizer") return plain(stem(value));
    return word + (field->kind == Field::Kind::Text ? "-" : "") + plain(value);
}

/// Labels of every value of every axis. Axes with the same initials are spelled out; files of one name are numbered.
std::vector<std::vector<std::string>> labelsOf(const std::vector<SweepAxis>& axes)
{
    std::vector<std::vector<std::string>> all;
    for (const auto& axis : axes) {
        const auto same = std::count_if(axes.begin(), axes.end(),
            [&](const SweepAxis& other) { return initials(other.key) == initials(axis.key); });
        std::vector<std::string> labels;
        for (const auto& value : axis.values) {
            const auto first = label(axis.key, same > 1 ? axis.key : initials(axis.key), value);
            auto unique = first;
            for (int n = 2; std::count(labels.begin(), labels.end(), unique) > 0; ++n)
                unique = first + "-" + std::to_string(n);
            labels.push_back(unique);
        }
        all.push_back(std::move(labels));
    }
    return all;
}

void checkPlan(const std::string& name, const std::vector<SweepAxis>& axes, std::int64_t seeds)
{
    if (name.empty() || plain(name) != name || !validUtf8(name) || name.front() == '.' || name.front() == '-'
        || name.front() == '+')
        throw ConfigError("the name of the sweep", inQuotes(name),
            "letters, digits, and . _ - + between them: it begins the names of the runs, and is their tag");
    if (name.size() > longestTag)
        throw ConfigError("the name of the sweep", inQuotes(name),
            "at most " + std::to_string(longestTag) + " bytes: it is the tag of the runs, too");
    checkTag(name);
    std::set<std::string> keys;
    for (const auto& axis : axes)
        if (!keys.insert(axis.key).second)
            throw Error(axis.key + " has two lists of values", "put all of them into one list", ExitCode::Usage);
    if (seeds < 1) throw ConfigError("the number of seeds", std::to_string(seeds), "at least 1");
    double runs = double(seeds);
    for (const auto& axis : axes) runs *= double(axis.values.size());
    if (runs > double(mostSweepRuns))
        throw Error("the sweep has " + compactCount(runs) + " runs",
            "plan at most " + std::to_string(mostSweepRuns) + " at once", ExitCode::Usage);
}

/// A combination of values, and what names it.
struct Combination {
    SweepValues values;
    std::string name;
};

std::vector<Combination> combinationsOf(const std::string& name, const std::vector<SweepAxis>& axes)
{
    const auto labels = labelsOf(axes);
    std::vector<Combination> all { { {}, name } };
    for (std::size_t a = 0; a < axes.size(); ++a) {
        std::vector<Combination> longer;
        for (const auto& one : all)
            for (std::size_t v = 0; v < axes[a].values.size(); ++v) {
                auto next = one;
                next.values.emplace_back(axes[a].key, axes[a].values[v]);
                next.name += "-" + labels[a][v];
                longer.push_back(std::move(next));
            }
        all = std::move(longer);
    }
    return all;
}

RunConfig validConfig(
    const Combination& combination, const std::function<RunConfig(const SweepValues&)>& configOf, std::int64_t seed)
{
    try {
        auto config = configOf(combination.values);
        config.training.seed += seed;
        config.validate();
        return config;
    } catch (const Error& error) {
        if (combination.values.empty()) throw;
        throw Error(
            "with " + sweepValuesText(combination.values) + ": " + error.problem(), error.advice(), error.code());
    }
}

/// Runs that are alike cost time and say nothing.
void noteIdleAxes(SweepPlan& plan, const std::vector<SweepAxis>& axes)
{
    std::set<std::string> said;
    for (const auto& run : plan.runs)
        for (const auto& axis : axes) {
            if (axis.values.size() < 2 || fieldMatters(run.config.model, axis.key)) continue;
            auto text = axis.key + " changes nothing in "
                + (run.config.preset.empty() ? "the family " + run.config.model.family : run.config.preset)
                + ": its runs are alike";
            if (said.insert(text).second) plan.notes.push_back(std::move(text));
        }
}

} // namespace

SweepAxis SweepAxis::parse(const std::string& text)
{
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        throw ConfigError(
            "an axis of the sweep", inQuotes(text), "KEY=VALUE,VALUE,..., as in learning_rate=0.001,0.002");
    return of(text.substr(0, equals), text.substr(equals + 1));
}

SweepAxis SweepAxis::of(const std::string& key, const std::string& list)
{
    refuseKey(key);
    SweepAxis axis { key, {} };
    for (const auto& value : separated(key, list)) {
        auto text = canonical(key, value);
        if (std::count(axis.values.begin(), axis.values.end(), text) > 0)
            throw Error(key + " has the value " + inQuotes(text) + " twice", "give each value once", ExitCode::Usage);
        axis.values.push_back(std::move(text));
    }
    return axis;
}

SweepPlan planSweep(const std::string& name, const std::vector<SweepAxis>& axes, std::int64_t seeds,
    const std::function<RunConfig(const SweepValues& values)>& configOf)
{
    checkPlan(name, axes, seeds);
    SweepPlan plan { name, {}, {} };
    const auto combinations = combinationsOf(name, axes);
    std::set<std::string> names;
    for (std::int64_t seed = 0; seed < seeds; ++seed)
        for (const auto& combination : combinations) {
            auto config = validConfig(combination, configOf, seed);
            auto runName = combination.name + "-s" + std::to_string(config.training.seed);
            if (runName.size() > longestName)
                throw Error("the name " + inQuotes(runName) + " is too long",
                    "give the sweep a shorter name, or fewer axes", ExitCode::Usage);
            if (!names.insert(runName).second)
                throw Error(
                    "two runs would have the name " + inQuotes(runName), "rename one of the files", ExitCode::Usage);
            plan.runs.push_back({ std::move(runName), combination.values, std::move(config) });
        }
    noteIdleAxes(plan, axes);
    return plan;
}

std::string sweepValuesText(const SweepValues& values)
{
    std::vector<std::string> parts;
    for (const auto& [key, value] : values) parts.push_back(key + " " + (value.empty() ? "empty" : value));
    return joinList(parts);
}

} // namespace pha
