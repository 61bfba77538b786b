// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/course.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/text.h"
#include "engine/engine.h"
#include "engine/run/alerts.h"
#include "engine/run/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

namespace pha {

namespace {

constexpr const char* changeable[] { "steps", "learning_rate", "min_learning_rate", "warmup_steps", "schedule",
    "decay_share", "plateau_factor", "plateau_patience", "weight_decay", "ssm_learning_rate", "mix_learning_rate",
    "muon_learning_rate", "muon_weight_decay", "clip", "eval_every", "eval_tokens", "save_every", "keep_checkpoints",
    "sample_every", "sample_prompt", "mix_every", "autopsies" };

std::string text(const Json& object, const char* key)
{
    const auto item = object.find(key);
    return item != object.end() && item->is_string() ? item->get<std::string>() : std::string();
}

std::optional<std::int64_t> integerAt(const Json& object, const char* key)
{
    const auto item = object.find(key);
    return item != object.end() && item->is_number_integer() ? std::optional(item->get<std::int64_t>()) : std::nullopt;
}

/// Earlier versions wrote "3 files in a folder", which is no path, and a path as it was typed.
fs::path origin(const Json& environment, const char* key)
{
    const auto item = environment.find(key);
    if (item == environment.end()) return {};
    fs::path path = item->is_string() ? item->get<std::string>() : text(*item, "file");
    std::error_code error;
    if (path.empty() || !fs::exists(path, error))
        throw Error("the weights that this run began with are not there: " + path.string(),
            "put them back, or train anew with --init-from", ExitCode::Usage);
    return path;
}

/// skip_data as it went: a resume may name other places, but what was passed over before it stays so. Empty if no
/// resume has changed them.
std::optional<std::string> placesPassedOver(const std::vector<SettingChange>& changes)
{
    std::optional<std::vector<TrainingConfig::Skip>> places;
    for (const auto& change : changes) {
        if (change.key != "skip_data") continue;
        TrainingConfig before, after;
        before.skipData = change.was;
        after.skipData = change.value;
        if (!places) places = before.skips();
        std::erase_if(*places, [&](const auto& place) { return place.before > change.step; });
        for (const auto& place : after.skips())
            if (place.before > change.step) places->push_back(place);
    }
    if (!places) return {};
    std::string all;
    for (const auto& place : *places) all = skipFrom(all, place.before, place.updates);
    return all;
}

/// Losses by update. What a resume cut off is not in the file any more.
std::map<std::int64_t, double> losses(const fs::path& run)
{
    std::map<std::int64_t, double> all;
    const auto take = [&](const Event& event) {
        if (const auto* step = std::get_if<StepEvent>(&event)) all[step->step] = step->loss;
    };
    forEachMetric(RunDirectory(run).metricsFile(), take, [&] { all.clear(); });
    return all;
}

} // namespace

bool ofOneProcess(const std::string& key)
{
    return key == "device" || key == "devices" || key == "threads" || key == "precision" || key == "stop_after";
}

bool changesWhileTraining(const std::string& key)
{
    return std::count(std::begin(changeable), std::end(changeable), key) > 0;
}

std::vector<std::string> peakRates(const TrainingConfig& training)
{
    std::vector<std::string> keys { "learning_rate" };
    if (training.optimizer == "muon") keys.emplace_back("muon_learning_rate");
    return keys;
}

RunConfig withChange(const RunConfig& config, const std::string& key, const Json& value, std::int64_t done)
{
    return withChanges(config, { { key, value } }, done);
}

RunConfig withChanges(const RunConfig& config, const WantedSettings& wanted, std::int64_t done)
{
    auto changed = config;
    for (const auto& [key, value] : wanted) {
        changed.setJson(key, value);
        if (!changesWhileTraining(key))
            throw ConfigError(
                key, settingText(value), "a setting that a running run takes over; a fork may have it so");
    }
    changed.validate();
    if (changed.training.steps <= done)
        throw ConfigError("steps", std::to_string(changed.training.steps),
            "more than the " + std::to_string(done) + " updates that are done");
    return changed;
}

CommandEvent toEvent(const SettingChange& change) { return { change.step, change.key, change.value, change.was }; }

std::optional<SettingChange> settingChange(const CommandEvent& event)
{
    const bool oldRate = event.name == "learning_rate" && parseNumber(event.value);
    if (!event.was && !oldRate) return {};
    return SettingChange { event.step, event.name, event.value, event.was.value_or(std::string()) };
}

std::string SettingChange::text() const
{
    const auto word = [](const std::string& some) { return some.empty() ? std::string("empty") : some; };
    return fmt::format("{} {} -> {} after step {}", key, word(was), word(value), step);
}

std::vector<SettingChange> settingChanges(const fs::path& run)
{
    std::vector<SettingChange> changes;
    const auto take = [&](const Event& event) {
        if (const auto* command = std::get_if<CommandEvent>(&event))
            if (auto change = settingChange(*command)) changes.push_back(std::move(*change));
    };
    forEachMetric(
        RunDirectory(run).metricsFile(), take, [&] { changes.clear(); }, nullptr, "command");
    return changes;
}

RunConfig withoutChanges(RunConfig config, const std::vector<SettingChange>& changes)
{
    for (auto i = changes.size(); i-- > 0;) // the last one first
        if (const auto& change = changes[i]; !change.was.empty() || change.key == "sample_prompt")
            config.set(change.key, change.was);
    return config;
}

std::int64_t takeSettings(const fs::path& checkpoint, RunConfig& config)
{
    const auto file = checkpoint / "state.json";
    const auto json = parseJsonStrict(readFile(file, 16 << 20), file.string());
    try {
        if (const auto settings = json.find("training"); settings != json.end()) {
            for (const auto& [key, value] : settings->items())
                if (!ofOneProcess(key)) config.setJson(key, value);
        } else { // of an earlier version, in which only this one changed
            config.training.learningRate = json.at("learning_rate").get<double>();
        }
        return json.at("step").get<std::int64_t>();
    } catch (const std::exception& error) { // not there, of another type, or a value that no run has
        throw CheckpointError(file.string(), error.what(), "take another checkpoint of the run");
    }
}

void requireTrainingState(const fs::path& checkpoint)
{
    std::error_code error;
    const bool alone =
        fs::exists(checkpoint / "model.safetensors", error) && !fs::exists(checkpoint / "optimizer.safetensors", error);
    if (!alone || error) return;
    throw CheckpointError(checkpoint.string(), "holds weights alone, without the optimiser's state",
        "start a new run from them: pha train --config RUN/run.json --init-from RUN");
}

RunFile readToResume(const fs::path& run, const fs::path& checkpoint)
{
    const RunDirectory directory(run);
    auto file = directory.read();
    const auto all = directory.list();
    const auto from = checkpoint.empty() && !all.empty() ? directory.checkpoints() / all.back() : checkpoint;
    if (from.empty()) return file;
    if (const auto problem = checkpointProblem(from, false); !problem.empty())
        throw CheckpointError(
            from.string(), "is not a complete checkpoint: " + problem, "take another one of the run, by its path");
    requireTrainingState(from);
    takeSettings(from, file.config);
    return file;
}

std::vector<SettingChange> changesOnResume(const RunConfig& before, const RunConfig& after, std::int64_t step)
{
    std::vector<SettingChange> changes;
    for (const auto& key : changedFields(before, after))
        if (key != "data" && !ofOneProcess(key))
            changes.push_back({ step, key, settingText(after.get(key)), settingText(before.get(key)) });
    return changes;
}

Json Replay::toJson() const
{
    auto list = Json::array();
    for (const auto& change : changes)
        list.push_back({ { "step", change.step }, { "key", change.key }, { "value", change.value } });
    return { { "path", run.string() }, { "name", name }, { "changes", std::move(list) } };
}

std::deque<SettingChange> changesToCome(const RunFile& replay, std::int64_t done)
{
    std::deque<SettingChange> changes;
    const auto plan = replay.environment.value("replay", Json::object());
    try {
        for (const auto& item : plan.value("changes", Json::array()))
            if (item.at("step").get<std::int64_t>() >= done)
                changes.push_back({ item.at("step").get<std::int64_t>(), item.at("key").get<std::string>(),
                    item.at("value").get<std::string>(), {} });
    } catch (const Json::exception& error) {
        throw ConfigError("environment.replay", error.what(), "the list of changes that the replay was begun with");
    }
    return changes;
}

fs::path repeatedRun(const RunFile& file)
{
    const auto plan = file.environment.find("replay");
    return plan != file.environment.end() ? text(*plan, "path") : std::string();
}

TrainingRequest Replay::request() const
{
    TrainingRequest request;
    request.config = config;
    request.replayOf = run;
    request.initFrom = initFrom;
    request.convertFrom = convertFrom;
    request.forkFrom = forkFrom;
    return request;
}

Replay readReplay(const fs::path& run)
{
    const RunDirectory directory(run);
    directory.require();
    const auto file = directory.read();
    Replay replay;
    replay.run = fs::canonical(run);
    replay.name = file.name.empty() ? replay.run.filename().string() : file.name;
    replay.config = file.config;
    replay.changes = settingChanges(run);
    const auto skips = placesPassedOver(replay.changes);
    std::erase_if(replay.changes, [](const SettingChange& change) { // which names its updates itself
        return change.key == "skip_data";
    });
    replay.config = withoutChanges(replay.config, replay.changes);
    if (skips) replay.config.training.skipData = *skips;
    for (const auto& change : replay.changes)
        if (!changesWhileTraining(change.key))
            throw Error(fmt::format("{} was changed when this run was resumed at step {}, which no replay repeats",
                            change.key, change.step),
                "fork the run where it stands, or train anew with --config RUN/run.json", ExitCode::Usage);

    auto& training = replay.config.training;
    training.stopAfter = 0;
    const auto& environment = file.environment;
    // Measured when it started; another number of threads rounds its sums in another way. A resume has its own device.
    if (const auto precision = text(environment, "precision"); !precision.empty()) training.precision = precision;
    if (const auto device = text(environment, "device"); !device.empty()) {
        const bool cpu = device == "cpu";
        if (cpu || training.device != "auto") training.device = cpu ? "cpu" : "cuda";
        training.devices = integerAt(environment, "devices").value_or(1);
        if (const auto threads = integerAt(environment, "threads"); threads && cpu)
            training.threads = *threads * training.devices; // which share them again
    }
    replay.corpus = text(environment, "corpus_fingerprint");
    replay.tokenizer = text(environment, "tokenizer");
    if (const auto parent = RunParent::of(file)) {
        replay.forkFrom = RunDirectory(parent->path).checkpoints() / checkpointName(parent->step);
        resolveCheckpoint(replay.forkFrom); // which says what is wrong
    }
    replay.initFrom = origin(environment, "init_from");
    replay.convertFrom = origin(environment, "converted_from");
    return replay;
}

std::string CourseComparison::text() const
{
    if (updates == 0) return "no update in common";
    if (first < 0) return fmt::format("{} updates, every loss the same", updates);
    return fmt::format(
        "{} updates, from number {} on other losses, at most {:.2g} nats apart", updates, first, largest);
}

CourseComparison compareCourses(const fs::path& run, const fs::path& other)
{
    CourseComparison result;
    const auto a = losses(run), b = losses(other);
    for (const auto& [step, loss] : a) {
        const auto found = b.find(step);
        if (found == b.end()) continue;
        ++result.updates;
        const bool same = loss == found->second || (std::isnan(loss) && std::isnan(found->second));
        if (same) continue;
        if (result.first < 0) result.first = step;
        result.largest = std::max(result.largest, std::abs(loss - found->second));
    }
    return result;
}

} // namespace pha
