// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/averages.h"

#include "engine/base/error.h"
#include "engine/eval/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

namespace pha {

namespace {
constexpr auto emaFile = "ema.safetensors";

/// The same file, with its folder made.
fs::path withFolder(const fs::path& file)
{
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    if (error) throw IoError(file.parent_path().string(), error.message());
    return file;
}
} // namespace

WeightAverages::WeightAverages(const RunDirectory& run, const TrainingConfig& config)
    : run_(run)
    , config_(config)
{
}

fs::path WeightAverages::newPart(std::int64_t step) const { return withFolder(part(step)); }

fs::path WeightAverages::newFile(const std::string& name) const
{
    return withFolder(run_.averages() / (name + ".safetensors"));
}

void WeightAverages::keep(const LanguageModel& model, std::int64_t step) const
{
    writeModel(newPart(step), model, step);
}

void WeightAverages::copyFrom(const RunDirectory& parent, const Json& state) const
{
    Json steps = Json::array();
    if (config_.averageKeep > 0)
        for (const auto& item : state.value("best", Json::array())) steps.push_back(item.value("step", Json()));
    if (config_.lawaCount > 0)
        for (const auto& item : state.value("last", Json::array())) steps.push_back(item);
    for (const auto& step : steps) {
        std::error_code error;
        if (!step.is_number_integer() || fs::exists(part(step), error)) continue;
        const auto from = parent.averagedWeights(step);
        if (!fs::exists(from, error)) continue; // restore() counts it
        std::error_code unknown;
        if (!fs::copy_file(from, newPart(step), error) && fs::exists(from, unknown)) // not removed meanwhile
            throw IoError(part(step).string(), error.message());
    }
}

/// A checkpoint must find its weights again, so those of the newest one stay until the next one stands.
void WeightAverages::removeUnused() const
{
    std::set<std::int64_t> used(last_.begin(), last_.end());
    used.insert(saved_.begin(), saved_.end());
    for (const auto& kept : best_) used.insert(kept.step);
    std::error_code error;
    for (fs::directory_iterator it(part(0).parent_path(), error), end; !error && it != end; it.increment(error)) {
        const auto step = checkpointStep(it->path().stem().string());
        std::error_code ignored;
        if (step && !used.count(*step)) fs::remove(it->path(), ignored);
    }
}

void WeightAverages::updateEma(const LanguageModel& model)
{
    const torch::NoGradGuard guard;
    const auto weights = namedWeights(model);
    if (ema_.empty()) {
        for (const auto& [name, weight] : weights) ema_.emplace_back(name, weight.detach().clone());
        return;
    }
    for (std::size_t i = 0; i < weights.size(); ++i)
        ema_[i].second.lerp_(weights[i].second.detach(), 1 - config_.emaDecay);
}

void WeightAverages::afterUpdate(const LanguageModel& model, std::int64_t step)
{
    const bool begun = !ema_.empty(); // a run that is made longer goes on with it
    if (config_.emaDecay > 0 && (begun || double(step) >= config_.emaStart * double(config_.steps))) updateEma(model);
    if (config_.lawaCount == 0 || step % config_.lawaEvery != 0) return;
    keep(model, step);
    last_.push_back(step);
    if (std::ssize(last_) > config_.lawaCount) last_.erase(last_.begin());
    removeUnused();
}

void WeightAverages::afterEvaluation(const LanguageModel& model, std::int64_t step, double nll)
{
    if (config_.averageKeep == 0 || !std::isfinite(nll)) return;
    const bool full = std::ssize(best_) >= config_.averageKeep;
    if (full && nll >= best_.back().nll) return;
    keep(model, step);
    if (full) best_.pop_back();
    best_.insert(std::upper_bound(best_.begin(), best_.end(), nll, [](double a, const Kept& b) { return a < b.nll; }),
        { nll, step });
    removeUnused();
}

void WeightAverages::write(const fs::path& checkpoint) const
{
    if (!ema_.empty()) writeTensors(checkpoint / emaFile, ema_, { { "format", "pha-studio" } });
}

Json WeightAverages::state() const
{
    auto best = Json::array();
    for (const auto& kept : best_) best.push_back({ { "step", kept.step }, { "nll", kept.nll } });
    return { { "best", best }, { "last", last_ } };
}

void WeightAverages::saved()
{
    saved_ = last_;
    for (const auto& kept : best_) saved_.push_back(kept.step);
    removeUnused();
}

std::size_t WeightAverages::restore(const fs::path& checkpoint, const Json& state)
{
    try {
        for (const auto& item : state.value("best", Json::array()))
            best_.push_back({ item.at("nll").get<double>(), item.at("step").get<std::int64_t>() });
        for (const auto& item : state.value("last", Json::array())) last_.push_back(item.get<std::int64_t>());
    } catch (const Json::exception& error) {
        throw CheckpointError((checkpoint / "state.json").string(), error.what(), "resume from an earlier checkpoint");
    }
    saved(); // a setting may want fewer by now: the checkpoint refers to all of them
    const auto gone = [&](std::int64_t step) { return !fs::exists(part(step)); };
    const auto firstLast = [&] { return last_.end() - std::min(std::ssize(last_), std::ptrdiff_t(config_.lawaCount)); };
    std::set<std::int64_t> missing; // of those that it does want
    for (std::size_t i = 0; i < std::min(best_.size(), std::size_t(config_.averageKeep)); ++i)
        if (gone(best_[i].step)) missing.insert(best_[i].step);
    std::copy_if(firstLast(), last_.end(), std::inserter(missing, missing.end()), gone);
    std::erase_if(best_, [&](const Kept& kept) { return gone(kept.step); });
    std::erase_if(last_, gone);
    best_.resize(std::min(best_.size(), std::size_t(config_.averageKeep)));
    last_.erase(last_.begin(), firstLast());
    return missing.size();
}

void WeightAverages::readEma(const fs::path& checkpoint, const LanguageModel& model)
{
    ema_.clear();
    if (config_.emaDecay == 0 || !fs::exists(checkpoint / emaFile)) return;
    const torch::NoGradGuard guard;
    for (const auto& [name, weight] : namedWeights(model)) ema_.emplace_back(name, torch::empty_like(weight.detach()));
    readTensors(checkpoint / emaFile, ema_);
}

void WeightAverages::each(
    LanguageModel& scratch, const std::function<void(const std::string& name, const std::string& note)>& evaluate) const
{
    std::vector<fs::path> files;
    for (std::int64_t i = 0; i < std::min<std::int64_t>(config_.averageTake, std::ssize(best_)); ++i)
        files.push_back(part(best_[std::size_t(i)].step));
    if (!files.empty()) {
        averageWeights(scratch, files);
        evaluate("best", fmt::format("mean of the best {} of {} weights", files.size(), best_.size()));
    }
    if (!ema_.empty()) {
        const torch::NoGradGuard guard;
        const auto weights = namedWeights(scratch);
        for (std::size_t i = 0; i < weights.size(); ++i) weights[i].second.detach().copy_(ema_[i].second);
        evaluate("ema", fmt::format("moving average of the weights, decay {}", config_.emaDecay));
    }
    files.clear();
    for (const auto step : last_) files.push_back(part(step));
    if (!files.empty()) {
        averageWeights(scratch, files);
        evaluate("lawa", fmt::format("mean of the last {} weights, {} updates apart", files.size(), config_.lawaEvery));
    }
}

} // namespace pha
