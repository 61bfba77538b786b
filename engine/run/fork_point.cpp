// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/fork_point.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/field_use.h"
#include "engine/data/tokenizer.h"
#include "engine/run/course.h"

#include <algorithm>

namespace pha {

namespace {

/// Model fields without a tensor of their own: the same weights are read in another way.
constexpr const char* readsWeights[] { "rope_base", "attention_span", "gss_scale", "embedding_scale" };
/// The same result in another way.
constexpr const char* reachesResult = "gss_convolution";
/// Weights go, the others stay as they were.
constexpr const char* prunes = "pruned_branches";
/// The tokens that the embedding knows, the optimiser whose moments go on, and what a conversion was begun with.
constexpr const char* fixed[] { "tokenizer", "vocab_size", "byte_fallback", "optimizer", "distill_steps" };

fs::path newestCheckpoint(const RunDirectory& run)
{
    const auto all = run.list();
    if (!all.empty()) return run.checkpoints() / all.back();
    const auto damaged = run.damagedCheckpoint();
    throw CheckpointError(run.root().string(),
        damaged.empty() ? "is a run without a checkpoint yet" : "has no intact checkpoint: " + damaged,
        "fork a run that has one");
}

} // namespace

std::string RunParent::text() const { return name + " at step " + std::to_string(step); }

Json RunParent::toJson() const { return { { "path", path.string() }, { "name", name }, { "step", step } }; }

std::optional<RunParent> RunParent::of(const RunFile& file)
{
    const auto found = file.environment.find("parent");
    if (found == file.environment.end() || !found->is_object()) return {};
    const auto text = [&](const char* key) {
        const auto item = found->find(key);
        return item != found->end() && item->is_string() ? item->get<std::string>() : std::string();
    };
    const auto step = found->find("step");
    if (step == found->end() || !step->is_number_integer() || *step < 0) return {};
    RunParent parent { text("path"), text("name"), step->get<std::int64_t>() };
    if (parent.name.empty()) parent.name = parent.path.filename().string();
    return parent.name.empty() ? std::nullopt : std::optional(parent);
}

ForkPoint readForkPoint(const fs::path& runOrCheckpoint)
{
    ForkPoint point;
    const RunDirectory given(runOrCheckpoint);
    point.checkpoint = given.exists() ? fs::canonical(newestCheckpoint(given)) : resolveCheckpoint(runOrCheckpoint);
    auto& parent = point.parent;
    parent.path = runOfCheckpoint(point.checkpoint);
    if (!validUtf8(parent.path.string())) // run.json could not name it, and no replay would find it
        throw ConfigError("the path of what is forked", parent.path.string(), "text in UTF-8: rename the folder");
    requireTrainingState(point.checkpoint);
    const auto file = RunDirectory(parent.path).read();
    parent.name = file.name.empty() ? parent.path.filename().string() : file.name;
    point.config = file.config;
    point.config.training.stopAfter = 0; // was asked of an earlier process
    parent.step = takeSettings(point.checkpoint, point.config);
    return point;
}

bool freeInFork(const std::string& key)
{
    for (const auto& [group, field] : allFields())
        if (field.name == key)
            return group == "model" ? key == prunes || key == reachesResult
                    || std::count(std::begin(readsWeights), std::end(readsWeights), key) > 0
                                    : std::count(std::begin(fixed), std::end(fixed), key) == 0;
    return false;
}

bool prunesMore(const RunConfig& before, const RunConfig& after)
{
    return prunedParts(after.model).size() > prunedParts(before.model).size();
}

bool readsOtherwise(const RunConfig& before, const RunConfig& after)
{
    return std::any_of(std::begin(readsWeights), std::end(readsWeights),
        [&](const char* key) { return before.get(key) != after.get(key) && fieldMatters(after.model, key); });
}

void checkFork(const ForkPoint& point, const RunConfig& fork)
{
    for (const auto& key : changedFields(point.config, fork))
        if (!freeInFork(key))
            throw ConfigError(key, fork.get(key).dump(),
                point.config.get(key).dump()
                    + " as in the run that is forked, since its weights, optimiser and tokens go on; a new run with "
                      "--init-from takes weights alone");
    const auto gone = prunedParts(fork.model);
    for (const auto& place : prunedParts(point.config.model))
        if (std::count(gone.begin(), gone.end(), place) == 0)
            throw ConfigError(prunes, inQuotes(fork.model.prunedBranches),
                "also " + place.text() + ", which the run that is forked has no more");
    checkSkips(point.config, fork, point.parent.step);
    if (fork.training.steps <= point.parent.step)
        throw ConfigError("steps", std::to_string(fork.training.steps),
            "more than the " + std::to_string(point.parent.step)
                + " steps that are done where the fork begins; give more with --steps");
}

void checkSkips(const RunConfig& before, const RunConfig& after, std::int64_t done)
{
    const auto known = before.training.skips();
    for (const auto& skip : after.training.skips()) {
        const bool old = std::any_of(known.begin(), known.end(),
            [&](const auto& one) { return one.before == skip.before && one.updates == skip.updates; });
        if (!old && skip.before <= done)
            throw ConfigError("skip_data", inQuotes(after.training.skipData),
                "updates after the " + std::to_string(done) + " that are done");
    }
}

std::vector<std::string> changedFields(const RunConfig& before, const RunConfig& after)
{
    std::vector<std::string> keys;
    for (const auto& [group, field] : allFields())
        if (before.get(field.name) != after.get(field.name)) keys.push_back(field.name);
    return keys;
}

} // namespace pha
