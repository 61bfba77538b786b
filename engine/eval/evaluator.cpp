// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/evaluator.h"

#include "engine/base/error.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

namespace pha {

namespace {

/// Inputs are tokens [begin, end); what those from `scored` on predict counts.
struct Window {
    std::int64_t begin, end, scored;
};

std::vector<Window> windows(std::int64_t tokens, std::int64_t context, std::int64_t stride)
{
    std::vector<Window> all;
    std::int64_t done = 0; // inputs whose predictions are scored so far
    for (std::int64_t begin = 0; done < tokens - 1; begin += stride) {
        const auto end = std::min(begin + context, tokens - 1);
        all.push_back({ begin, end, done });
        done = end;
    }
    return all;
}

/// Each example of a task is a window.
std::vector<Window> exampleWindows(std::int64_t tokens, std::int64_t length)
{
    std::vector<Window> all;
    for (std::int64_t begin = 0; begin < tokens; begin += length) all.push_back({ begin, begin + length, begin });
    return all;
}

constexpr std::int64_t tokensAtOnce = 8192;

/// Scores of the whole split by the index of the target: of running text the token that was predicted (the first one
/// never is), of tasks the place of the question.
struct Scores {
    std::vector<float> nll;
    std::vector<bool> correct;
};

Scores scoreSplit(LanguageModel& model, const Split& split, std::int64_t count, const EvaluateOptions& options,
    EventSink& progress, std::stop_token stop)
{
    const torch::NoGradGuard guard;
    const auto device = model.embedding().device();
    Pass pass;
    if (model.embedding().scalar_type() == torch::kBFloat16) pass.matrix = torch::kBFloat16;
    pass.mix = &options.mix;
    Scores scores { std::vector<float>(std::size_t(count)), std::vector<bool>(std::size_t(count)) };
    const bool task = split.example > 0;
    const auto& all = task ? split.targets : split.tokens;
    const std::int64_t ahead = task ? 0 : 1; // from an input to its target
    const auto list = task ? exampleWindows(count, split.example) : windows(count, options.context, options.stride);
    for (std::size_t first = 0; first < list.size();) {
        if (stop.stop_requested()) throw Error("the evaluation was stopped", "start it again to get its figures");
        const auto length = list[first].end - list[first].begin;
        std::size_t rows = 1; // as many windows of the same length as fit
        while (first + rows < list.size() && std::int64_t(rows + 1) * length <= tokensAtOnce
            && list[first + rows].end - list[first + rows].begin == length)
            ++rows;
        auto ids = torch::empty({ std::int64_t(rows), length }, torch::kLong), targets = torch::empty_like(ids);
        for (std::size_t r = 0; r < rows; ++r)
            for (std::int64_t t = 0; t < length; ++t) {
                const auto at = std::size_t(list[first + r].begin + t);
                ids.data_ptr<std::int64_t>()[std::int64_t(r) * length + t] = split.tokens[at];
                targets.data_ptr<std::int64_t>()[std::int64_t(r) * length + t] = all[at + std::size_t(ahead)];
            }
        const auto h = model.forward(ids.to(device), pass);
        const auto s =
            scoreTokens(h.reshape({ -1, h.size(-1) }), model.embedding(), targets.reshape(-1).to(device), pass.matrix);
        for (std::size_t r = 0; r < rows; ++r) {
            const auto& window = list[first + r];
            for (auto input = window.scored; input < window.end; ++input) {
                const auto row = std::int64_t(r) * length + input - window.begin;
                scores.nll[std::size_t(input + ahead)] = s.nll.data_ptr<float>()[row];
                scores.correct[std::size_t(input + ahead)] = s.correct.data_ptr<bool>()[row];
            }
        }
        first += rows;
        progress.publish(ProgressEvent {
            "evaluating " + split.name, double(list[first - 1].end), double(list.back().end), "tokens" });
    }
    return scores;
}

/// Share of the examples of a task whose answers are all right.
double exactShare(const Split& split, const Scores& scores, std::int64_t count)
{
    std::vector<bool> right(std::size_t(count / split.example), true);
    for (const auto& probe : split.probes)
        if (probe.index < count && !scores.correct[std::size_t(probe.index)])
            right[std::size_t(probe.index / split.example)] = false;
    return double(std::count(right.begin(), right.end(), true)) / double(right.size());
}

RecallEvent scoreRecall(const Split& split, const Scores& scores, std::int64_t count)
{
    RecallEvent event;
    event.split = split.name;
    std::int64_t questions = 0, correct = 0;
    double chance = 0;
    for (const auto& probe : split.probes) {
        if (probe.index < 1 || probe.index >= count) continue;
        std::size_t bin = 0; // [0,8), [8,16), [16,32), ...
        while (probe.distance >= (std::int64_t(8) << bin)) ++bin;
        while (event.bins.size() <= bin) {
            const auto n = event.bins.size();
            event.bins.push_back({ n == 0 ? 0 : std::int64_t(4) << n, std::int64_t(8) << n, 0, 0, 0 });
        }
        auto& b = event.bins[bin];
        const bool hit = scores.correct[std::size_t(probe.index)];
        b.chance += (probe.chance - b.chance) / double(b.count + 1);
        ++b.count;
        b.correct += hit;
        ++questions;
        correct += hit;
        chance += probe.chance;
    }
    if (questions > 0) {
        event.accuracy = double(correct) / double(questions);
        event.chance = chance / double(questions);
    }
    if (split.example > 0) event.exact = exactShare(split, scores, count);
    return event;
}

/// Tokens of the split that are scored, at most `wanted` + 1 (0: all); whole examples of a task, at least one.
std::int64_t tokensToScore(const Split& split, std::int64_t wanted)
{
    const auto all = std::int64_t(split.tokens.size());
    if (split.example == 0) return wanted > 0 ? std::min(all, wanted + 1) : all;
    return wanted > 0 ? std::min(all, std::max(wanted / split.example, std::int64_t(1)) * split.example) : all;
}

std::string describe(const std::vector<MixOverride>& mix)
{
    std::string text;
    for (const auto& m : mix) {
        char weight[32];
        std::snprintf(weight, sizeof weight, "%g", m.weight);
        text += (text.empty() ? "" : ", ") + (m.layer < 0 ? std::string("all") : std::to_string(m.layer)) + ":"
            + m.branch + (m.weight == 0 ? " muted" : " = " + std::string(weight));
    }
    return text;
}

} // namespace

Evaluation evaluateSplit(
    LanguageModel& model, const Split& split, const EvaluateOptions& options, EventSink& progress, std::stop_token stop)
{
    if (options.stride < 1 || options.stride > options.context)
        throw ConfigError(
            "stride", std::to_string(options.stride), "between 1 and the context " + std::to_string(options.context));
    if (split.example > 0 && options.context != split.example)
        throw ConfigError("context", std::to_string(options.context),
            std::to_string(split.example) + ", the length of an example of this task");
    const auto count = tokensToScore(split, options.maxTokens);
    if (count < 2) throw DataError(split.name, "the split has fewer than two tokens", "give more text");
    const auto started = std::chrono::steady_clock::now();
    const auto scores = scoreSplit(model, split, count, options, progress, stop);

    Evaluation result;
    auto& e = result.figures;
    e.split = split.name;
    e.context = options.context;
    e.stride = options.stride;
    e.note = describe(options.mix);
    const bool task = split.example > 0;
    e.tokens = task ? std::count_if(split.targets.begin(), split.targets.begin() + count, [](auto t) { return t >= 0; })
                    : count - 1;
    double floor = 0;
    for (std::int64_t i = 1; i < count; ++i) {
        e.totalNll += double(scores.nll[std::size_t(i)]);
        if (!split.nats.empty()) floor += double(split.nats[std::size_t(i)]);
    }
    e.words = split.words[std::size_t(count - 1)] - split.words[0];
    e.bytes = split.bytes[std::size_t(count - 1)] - split.bytes[0];
    e.nll = e.totalNll / double(e.tokens);
    e.perplexity = std::exp(e.nll);
    e.wordPerplexity = e.words > 0 ? std::exp(e.totalNll / double(e.words)) : 0;
    e.bitsPerByte = e.bytes > 0 ? e.totalNll / (std::numbers::ln2 * double(e.bytes)) : 0;
    if (!split.nats.empty()) e.floorNll = floor / double(e.tokens);
    if (options.recall && !split.probes.empty()) result.recall = scoreRecall(split, scores, count);
    e.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return result;
}

std::vector<LayerMix> measureMixing(LanguageModel& model, const Split& probe, std::int64_t context)
{
    const torch::NoGradGuard guard;
    const auto count = std::min<std::int64_t>(context, std::int64_t(probe.tokens.size()));
    auto ids = torch::empty({ 1, count }, torch::kLong);
    for (std::int64_t i = 0; i < count; ++i) ids.data_ptr<std::int64_t>()[i] = probe.tokens[std::size_t(i)];
    std::vector<LayerMix> layers;
    Pass pass;
    if (model.embedding().scalar_type() == torch::kBFloat16) pass.matrix = torch::kBFloat16;
    pass.record = &layers;
    model.forward(ids.to(model.embedding().device()), pass);
    return layers;
}

} // namespace pha
