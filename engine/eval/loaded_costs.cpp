// SPDX-License-Identifier: GPL-3.0-or-later
// What the parts of a loaded model cost and are worth.
#include "engine/base/error.h"
#include "engine/config/parts.h"
#include "engine/eval/branch_costs.h"
#include "engine/eval/loaded_model.h"
#include "engine/model/weights.h"
#include "engine/torch/device.h"

#include <algorithm>
#include <tuple>

namespace pha {

namespace {

constexpr std::int64_t timedTokens = 2048;
constexpr int mostRepeats = 1000;

/// The part of the options that one evaluation of many takes.
EvaluateOptions scored(const CostOptions& options)
{
    auto text = options.text;
    text.mix.clear();
    text.recall = text.byPosition = text.byDocument = false;
    return text;
}

/// Counts of one part in every layer that has it.
BranchCost counted(const ModelConfig& model, const PartPlace& place, std::int64_t context, double matrixBytes)
{
    const auto c = findPart(place.part)->costs(model, { double(context), 1 });
    const auto kept =
        place.part == "attention" && model.attentionSpan > 0 ? std::min(context, model.attentionSpan) : context;
    BranchCost cost;
    cost.place = place;
    cost.flopsPerToken = c.flops;
    cost.parameters = c.parameters;
    cost.cacheBytes = c.cacheElements * double(kept) * matrixBytes + c.stateReals * 4;
    return cost;
}

/// Bytes of every part's tensors by layer and name.
std::map<std::pair<std::int64_t, std::string>, double> bytesOfParts(const LanguageModel& model)
{
    std::map<std::pair<std::int64_t, std::string>, double> bytes;
    const auto weights = namedWeights(model);
    for (std::int64_t layer = 0; layer < model.config().layers; ++layer)
        for (const auto& part : layerParts(model.config(), layer)) {
            const auto prefix = "layers." + std::to_string(layer) + "." + part + ".";
            for (const auto& [name, tensor] : weights)
                if (name.starts_with(prefix))
                    bytes[{ layer, part }] += double(tensor.numel()) * double(tensor.element_size());
        }
    return bytes;
}

} // namespace

BranchCosts NetworkModel::branchCosts(const CostOptions& options, const std::function<void(const BranchCost&)>& onCell,
    EventSink& progress, std::stop_token stop)
{
    beginJob();
    if (options.repeats < 1 || options.repeats > mostRepeats)
        throw ConfigError("repeats", std::to_string(options.repeats), "1 to " + std::to_string(mostRepeats));
    auto text = scored(options);
    const auto corpus = corpusFor(text, progress, stop);
    const auto& split = corpus->split(text.split);
    BranchCosts result;
    result.context = text.context = contextOf(text, split);
    result.batch = batchToTime(options, result.context);
    result.device = model_->embedding().device().str();
    result.precision = precisionName(writing_);
    result.plain = evaluate(text, progress, stop);
    auto pass = pass_;
    pass.matrix = writing_;
    const auto ids = textsToTime(*model_, split.tokens, result.batch, result.context);
    const auto times = timeParts(
        *model_, pass, ids, options.repeats,
        [&](int done) {
            progress.publish(ProgressEvent { "timing", double(done), double(options.repeats), "passes" });
        },
        stop);
    result.passSeconds = times.passSeconds;
    const auto bytes = bytesOfParts(*model_);
    for (std::int64_t layer = 0; layer < config_.model.layers; ++layer)
        for (const auto& part : layerParts(config_.model, layer)) {
            auto& cell = result.cells.emplace_back(
                counted(config_.model, { layer, part }, result.context, writing_ == torch::kBFloat16 ? 2 : 4));
            const auto& time = times.parts.at({ layer, part });
            cell.seconds = time.seconds, cell.spread = time.spread;
            cell.weightBytes = bytes.at({ layer, part });
        }
    SilentSink silent;
    double done = 0;
    for (auto& cell : result.cells) {
        progress.publish(ProgressEvent { "muting branches", ++done, double(result.cells.size()), "evaluations" });
        text.mix = { { cell.place.layer, cell.place.part, 0 } };
        cell.nll = evaluate(text, silent, stop).figures.nll;
        cell.change = cell.nll - result.plain.figures.nll;
        onCell(cell);
    }
    return result;
}

std::int64_t NetworkModel::batchToTime(const CostOptions& options, std::int64_t context)
{
    constexpr std::int64_t most = 1 << 24; // tokens: ids alone take 128 MB
    const auto batch = options.batch > 0 ? options.batch : std::max<std::int64_t>(1, timedTokens / context);
    if (options.batch < 0 || batch > most / context)
        throw ConfigError("batch", std::to_string(options.batch), "1 to " + std::to_string(most / context));
    return batch;
}

PruneTrial NetworkModel::tryPruned(const CostOptions& options, const BranchCosts& costs,
    const std::vector<PartPlace>& parts, EventSink& progress, std::stop_token stop)
{
    beginJob();
    auto text = scored(options);
    for (const auto& place : parts) text.mix.push_back({ place.layer, place.part, 0 });
    PruneTrial trial;
    trial.nll = evaluate(text, progress, stop).figures.nll;
    trial.change = trial.nll - costs.plain.figures.nll;
    trial.predictedSeconds = costs.passSeconds;
    for (const auto& cell : costs.cells)
        if (std::count(parts.begin(), parts.end(), cell.place) > 0) trial.predictedSeconds -= cell.seconds;
    std::shared_ptr<LanguageModel> pruned;
    try {
        pruned = prunedModel(*model_, parts);
    } catch (const ConfigError& error) {
        trial.obstacle = error.what();
        return trial;
    }
    for (const auto& [name, weight] : namedWeights(*pruned)) trial.parameters += weight.numel();
    auto pass = pass_;
    pass.matrix = writing_;
    const auto ids =
        textsToTime(*model_, corpusFor(text, progress, stop)->split(text.split).tokens, costs.batch, costs.context);
    progress.publish(ProgressEvent { "timing", 0, 0, "passes" });
    std::tie(trial.passSeconds, trial.prunedSeconds) = timeBoth(*model_, *pruned, pass, ids, options.repeats, stop);
    return trial;
}

} // namespace pha
