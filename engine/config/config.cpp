// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/config.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/parts.h"

#include <algorithm>
#include <set>
#include <type_traits>

namespace pha {

namespace {

/// The three groups in display order: visit(name, struct).
template <class Config, class Visit> void eachGroup(Config& config, Visit&& visit)
{
    visit("model", config.model);
    visit("data", config.data);
    visit("training", config.training);
}

template <class Group, class Visit> void eachField(Group& group, Visit&& visit)
{
    std::remove_const_t<Group>::fields(group, visit);
}

template <class Member> void assign(const Field& field, Member& member, const Json& value)
{
    field.check(value);
    // An integer may be written 1e3 in JSON, which reads as a double; check() has made sure that it is whole.
    if constexpr (std::is_same_v<Member, std::int64_t>)
        member = value.is_number_float() ? std::int64_t(value.get<double>()) : value.get<std::int64_t>();
    else
        member = value.get<Member>();
}

/// A key is foreign text until it is known to be a field's name.
std::string keyShown(const std::string& key)
{
    const bool plain = !key.empty() && key.size() <= 40
        && key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    return plain ? key : inQuotes(key);
}

[[noreturn]] void unknownKey(const std::string& key, const std::vector<std::string>& known)
{
    const auto nearest = nearestName(key, known);
    throw ConfigError(keyShown(key), "not a known key",
        nearest.empty() ? "a field's name, as `pha train --help-fields` lists them"
                        : "a field's name (the nearest is " + nearest + ")");
}

std::vector<std::string> fieldNames()
{
    std::vector<std::string> names;
    for (const auto& [group, field] : allFields()) names.push_back(field.name);
    return names;
}

template <class Group> Json groupJson(const Group& group)
{
    auto json = Json::object();
    eachField(group, [&](const Field& field, const auto& member) { json[field.name] = member; });
    return json;
}

/// Puts one key of a file where it belongs. `group` is the object that it stood in, empty for a flat one.
void take(
    RunConfig& config, std::set<std::string>& seen, const std::string& group, const std::string& key, const Json& value)
{
    if (!seen.insert(key).second) throw ConfigError(keyShown(key), "given twice", "each key once");
    for (const auto& known : allFields())
        if (!group.empty() && known.field.name == key && known.group != group)
            throw ConfigError(key, "in " + group, "it in " + known.group);
    config.setJson(key, value);
}

} // namespace

std::vector<std::string> ModelConfig::mixBranches() const
{
    const auto given = splitList(branches);
    std::vector<std::string> ordered;
    for (const auto& branch : branchNames())
        if (std::count(given.begin(), given.end(), branch) > 0) ordered.push_back(branch);
    return ordered;
}

std::vector<std::string> ModelConfig::branchList() const
{
    for (const auto& stage : wholeStages(*this, 0))
        if (stage.mixed) return stage.sharers;
    return {};
}

std::int64_t TrainingConfig::microBatches(std::int64_t step) const
{
    return step >= batchRamp ? accumulate : 1 + (accumulate - 1) * step / batchRamp;
}

std::vector<TrainingConfig::Skip> TrainingConfig::skips() const
{
    std::vector<Skip> all;
    for (const auto& part : splitList(skipData)) {
        const auto plus = std::min(part.find('+'), part.size());
        const auto before = parseInteger(part.substr(0, plus));
        const auto updates = parseInteger(part.substr(std::min(plus + 1, part.size())));
        constexpr std::int64_t most = 1'000'000;
        const auto least = all.empty() ? 1 : all.back().before + 1;
        if (!before || *before < least || !updates || *updates < 1 || *updates > most)
            throw ConfigError("skip_data", inQuotes(skipData),
                "UPDATE+COUNT, such as 8120+3, several in ascending order and separated by commas");
        all.push_back({ *before, *updates });
    }
    return all;
}

double TrainingConfig::totalTokens(std::int64_t updates) const
{
    const auto ramp = std::min(batchRamp, updates);
    double micro = double(accumulate) * double(updates - ramp);
    for (std::int64_t step = 0; step < ramp; ++step) micro += double(microBatches(step));
    return micro * double(batchSize) * double(context);
}

std::string settingText(const Json& value)
{
    auto text = value.is_string() ? value.get<std::string>() : value.dump();
    if (value.is_number_float() && text.ends_with(".0")) text.resize(text.size() - 2);
    return text;
}

void RunConfig::set(const std::string& key, const std::string& text)
{
    for (const auto& [group, field] : allFields())
        if (field.name == key) return setJson(key, field.parse(text));
    unknownKey(key, fieldNames());
}

void RunConfig::setJson(const std::string& key, const Json& value)
{
    bool found = false;
    eachGroup(*this, [&](const char*, auto& group) {
        eachField(group, [&](const Field& field, auto& member) {
            if (field.name != key) return;
            assign(field, member, value);
            found = true;
        });
    });
    if (!found) unknownKey(key, fieldNames());
}

Json RunConfig::get(const std::string& key) const
{
    Json value;
    eachGroup(*this, [&](const char*, const auto& group) {
        eachField(group, [&](const Field& field, const auto& member) {
            if (field.name == key) value = member;
        });
    });
    if (value.is_null()) unknownKey(key, fieldNames());
    return value;
}

Json RunConfig::toJson() const
{
    auto json = Json::object();
    if (!preset.empty()) json["preset"] = preset;
    eachGroup(*this, [&](const char* name, const auto& group) { json[name] = groupJson(group); });
    return json;
}

RunConfig RunConfig::fromJson(const Json& json, const RunConfig& base)
{
    if (!json.is_object()) throw ConfigError("the configuration", json.type_name(), "a JSON object of keys and values");
    static const std::set<std::string> groups { "model", "data", "training" };
    static const std::set<std::string> aboutRun { "schema", "name", "created", "environment" };
    bool grouped = false;
    for (const auto& item : json.items()) grouped |= groups.count(item.key()) > 0 && item.value().is_object();
    auto config = base;
    std::set<std::string> seen;
    for (const auto& item : json.items()) {
        const auto& key = item.key();
        const auto& value = item.value();
        if (groups.count(key) && value.is_object()) {
            for (const auto& inner : value.items()) take(config, seen, key, inner.key(), inner.value());
        } else if (key == "preset") {
            if (!value.is_string()) throw ConfigError("preset", value.type_name(), "the name of a preset");
            config.preset = value.get<std::string>();
        } else if (grouped && key == "schema" && value != 1) {
            throw ConfigError("schema", value.dump(), "1: a newer PHA Studio has written this file");
        } else if (!grouped || !aboutRun.count(key)) { // a whole run.json is a configuration, too
            take(config, seen, "", key, value);
        }
    }
    return config;
}

const std::vector<GroupedField>& allFields()
{
    static const auto fields = [] {
        std::vector<GroupedField> all;
        RunConfig defaults;
        eachGroup(defaults, [&](const char* name, auto& group) {
            eachField(group, [&](const Field& field, auto&) { all.push_back({ name, field }); });
        });
        return all;
    }();
    return fields;
}

} // namespace pha
