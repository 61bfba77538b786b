// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/branch_costs.h"

#include "engine/base/error.h"
#include "engine/base/stop.h"
#include "engine/model/weights.h"
#include "engine/torch/device.h"

#include <algorithm>
#include <chrono>

namespace pha {

namespace {

using Ticks = std::chrono::steady_clock;

double secondsFrom(Ticks::time_point start) { return std::chrono::duration<double>(Ticks::now() - start).count(); }

void leaveIfStopped(const std::stop_token& stop)
{
    throwIfStopped(stop, "the measurement", "start it again to get its figures");
}

double medianOf(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    const auto n = values.size();
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double spreadOf(const std::vector<double>& values)
{
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    return (*most - *least) / medianOf(values);
}

/// What a pass does: all of a forward pass, the head and the losses, as an evaluation has them.
double secondsOfPass(LanguageModel& model, const Pass& pass, const Tensor& ids)
{
    const torch::NoGradGuard guard;
    const auto start = Ticks::now();
    model.lossSum(ids, ids, pass).item<double>();
    return secondsFrom(start);
}

} // namespace

Tensor textsToTime(
    const LanguageModel& model, const std::vector<std::int32_t>& tokens, std::int64_t batch, std::int64_t context)
{
    if (tokens.empty()) throw DataError("the split", "has no tokens", "name a longer text");
    auto ids = torch::empty({ batch, context }, torch::kLong);
    for (std::int64_t i = 0; i < ids.numel(); ++i)
        ids.data_ptr<std::int64_t>()[i] = tokens[std::size_t(i) % tokens.size()];
    return ids.to(model.embedding().device());
}

PartTimes timeParts(LanguageModel& model, const Pass& pass, const Tensor& ids, int repeats,
    const std::function<void(int done)>& progress, const std::stop_token& stop)
{
    const auto device = ids.device();
    std::map<std::pair<std::int64_t, std::string>, std::vector<double>> found;
    Ticks::time_point begun;
    const std::function<void(std::int64_t, const std::string&, bool)> clock =
        [&](std::int64_t layer, const std::string& part, bool begins) {
            synchronize(device);
            if (begins)
                begun = Ticks::now();
            else
                found[{ layer, part }].push_back(secondsFrom(begun));
        };
    auto timed = pass;
    timed.clock = &clock;
    std::vector<double> whole;
    for (int i = -1; i < repeats; ++i) { // the first warms caches, threads and kernel choices, and is not counted
        leaveIfStopped(stop);
        const auto all = secondsOfPass(model, pass, ids);
        leaveIfStopped(stop);
        secondsOfPass(model, timed, ids);
        if (i < 0)
            found.clear();
        else
            whole.push_back(all);
        progress(i + 1);
    }
    PartTimes times;
    times.passSeconds = medianOf(whole);
    for (const auto& [place, seconds] : found) times.parts[place] = { medianOf(seconds), spreadOf(seconds) };
    return times;
}

std::pair<double, double> timeBoth(LanguageModel& one, LanguageModel& other, const Pass& pass, const Tensor& ids,
    int repeats, const std::stop_token& stop)
{
    std::vector<std::pair<double, double>> turns;
    for (int i = -1; i < repeats; ++i) {
        leaveIfStopped(stop);
        const auto a = secondsOfPass(one, pass, ids);
        leaveIfStopped(stop);
        const auto b = secondsOfPass(other, pass, ids);
        if (i >= 0) turns.emplace_back(a, b);
    }
    const auto middle = turns.begin() + std::ptrdiff_t(turns.size() / 2);
    std::nth_element(turns.begin(), middle, turns.end(),
        [](const auto& x, const auto& y) { return x.first * y.second < y.first * x.second; });
    return *middle;
}

std::shared_ptr<LanguageModel> prunedModel(const LanguageModel& model, const std::vector<PartPlace>& parts)
{
    auto config = model.config();
    for (const auto& place : parts) checkPart(config, place.layer, place.part);
    config.prunedBranches = prunedField(config, parts);
    config.validate();
    auto pruned = emptyModel(config);
    std::map<std::string, Tensor> weights;
    for (auto& [name, weight] : namedWeights(model)) weights.emplace(name, weight.detach());
    for (auto& [name, weight] : namedWeights(*pruned)) weight.set_data(weights.at(name));
    pruned->eval();
    return pruned;
}

} // namespace pha
