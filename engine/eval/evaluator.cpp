// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/evaluator.h"

#include "engine/base/error.h"
#include "engine/base/stop.h"
#include "engine/base/text.h"
#include "engine/data/documents.h"

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

/// Fills in protocol and stride (models.md 12.2).
EvaluateOptions settled(EvaluateOptions o)
{
    if (o.context < 1) throw ConfigError("context", std::to_string(o.context), "at least 1");
    if (o.protocol.empty()) o.protocol = o.stride > 0 && o.stride != o.context ? "strided" : "disjoint";
    if (o.protocol != "disjoint" && o.protocol != "strided" && o.protocol != "stateful")
        throw ConfigError("protocol", inQuotes(o.protocol), "one of disjoint, strided, stateful");
    const bool strided = o.protocol == "strided";
    if (o.stride == 0) o.stride = strided ? std::max<std::int64_t>(1, o.context / 2) : o.context;
    if (o.stride < 1 || o.stride > o.context)
        throw ConfigError("stride", std::to_string(o.stride), "between 1 and the context " + std::to_string(o.context));
    if (!strided && o.stride != o.context)
        throw ConfigError(
            "stride", std::to_string(o.stride), "none, since the " + o.protocol + " protocol has no stride");
    return o;
}

/// Scores of the whole split by the index of the target: of running text the token that was predicted (the first one
/// never is), of tasks the place of the question.
struct Scores {
    std::vector<float> nll;
    std::vector<bool> correct;
    std::vector<std::int32_t> seen; ///< tokens that the prediction was made from
};

/// Of a tensor of windows (rows,T,...) what is scored, one window after the other: the others need no logits.
Tensor scoredOf(const Tensor& x, const Window* group)
{
    const auto rows = x.size(0), length = x.size(1);
    std::vector<Tensor> parts;
    bool all = true;
    for (std::int64_t r = 0; r < rows; ++r) {
        const auto before = group[r].scored - group[r].begin;
        all &= before == 0;
        parts.push_back(x[r].narrow(0, before, length - before));
    }
    return all ? x.flatten(0, 1) : torch::cat(parts);
}

/// `rows` windows of one length, read at once. With a state there is one row, and it continues the text before.
void scoreTogether(LanguageModel& model, const Pass& pass, const Split& split, const Window* group, std::int64_t rows,
    ModelState* state, Scores& scores)
{
    const auto length = group->end - group->begin, read = state ? state->length : 0;
    const bool task = split.example > 0;
    const auto& all = task ? split.targets : split.tokens;
    const std::int64_t ahead = task ? 0 : 1; // from an input to its target
    const auto device = model.embedding().device();
    auto ids = torch::empty({ rows, length }, torch::kLong), targets = torch::empty_like(ids);
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t t = 0; t < length; ++t) {
            const auto at = std::size_t(group[r].begin + t);
            ids.data_ptr<std::int64_t>()[r * length + t] = split.tokens[at];
            targets.data_ptr<std::int64_t>()[r * length + t] = all[at + std::size_t(ahead)];
        }
    const auto h = model.forward(ids.to(device), pass, state);
    const auto s = scoreTokens(
        scoredOf(h, group), model.embedding(), scoredOf(targets, group).to(device), pass.matrix, &model.cache());
    std::int64_t next = 0;
    for (std::int64_t r = 0; r < rows; ++r)
        for (auto input = group[r].scored; input < group[r].end; ++input) {
            const auto row = next++, target = input + ahead;
            if (all[std::size_t(target)] < 0) continue; // no question here
            scores.nll[std::size_t(target)] = s.nll.data_ptr<float>()[row];
            scores.correct[std::size_t(target)] = s.correct.data_ptr<bool>()[row];
            scores.seen[std::size_t(target)] = std::int32_t(read + input - group[r].begin + 1);
        }
}

Scores scoreSplit(LanguageModel& model, const Pass& pass, const Split& split, std::int64_t count,
    const EvaluateOptions& options, EventSink& progress, const std::stop_token& stop)
{
    const torch::NoGradGuard guard;
    const auto size = std::size_t(count);
    Scores scores { std::vector<float>(size), std::vector<bool>(size), std::vector<std::int32_t>(size) };
    const auto list =
        split.example > 0 ? exampleWindows(count, split.example) : windows(count, options.context, options.stride);
    auto state = model.freshState();
    const bool stateful = options.protocol == "stateful";
    for (std::size_t first = 0; first < list.size();) {
        throwIfStopped(stop, "the evaluation", "start it again to get its figures");
        const auto length = list[first].end - list[first].begin;
        std::size_t rows = 1; // as many windows of the same length as fit
        while (!stateful && first + rows < list.size() && std::int64_t(rows + 1) * length <= options.batchTokens
            && list[first + rows].end - list[first + rows].begin == length)
            ++rows;
        scoreTogether(model, pass, split, list.data() + first, std::int64_t(rows), stateful ? &state : nullptr, scores);
        first += rows;
        progress.publish(
            ProgressEvent { "evaluating " + split.name, double(list[first - 1].end), double(count - 1), "tokens" });
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

std::vector<PositionBin> byPosition(const Scores& scores)
{
    std::vector<PositionBin> bins;
    for (std::size_t i = 0; i < scores.nll.size(); ++i) {
        if (scores.seen[i] == 0) continue; // not scored
        std::size_t bin = 0; // [1,2), [2,4), [4,8), ...
        while (scores.seen[i] >= (std::int64_t(2) << bin)) ++bin;
        while (bins.size() <= bin) {
            const auto from = std::int64_t(1) << bins.size();
            bins.push_back({ from, 2 * from, 0, 0 });
        }
        ++bins[bin].tokens;
        bins[bin].nll += double(scores.nll[i]);
    }
    for (auto& bin : bins) bin.nll = bin.tokens > 0 ? bin.nll / double(bin.tokens) : 0;
    return bins;
}

std::vector<DocumentFigures> byDocument(const Split& split, const Scores& scores, const TextForm& form)
{
    std::vector<DocumentFigures> all;
    const auto count = scores.nll.size();
    for (std::size_t d = 0; d < form.documents.size(); ++d) {
        const auto first = std::size_t(form.documents[d].begin), begin = std::max<std::size_t>(1, first);
        const auto end = d + 1 < form.documents.size() ? std::size_t(form.documents[d + 1].begin) : count;
        if (begin >= end) continue;
        const auto wordsBefore = first > 0 ? split.words[first - 1] : 0;
        const auto bytesBefore = first > 0 ? split.bytes[first - 1] : 0;
        DocumentFigures figures { form.documents[d].title, std::int64_t(end - begin),
            split.words[end - 1] - wordsBefore, split.bytes[end - 1] - bytesBefore, 0 };
        for (auto i = begin; i < end; ++i) figures.totalNll += double(scores.nll[i]);
        all.push_back(std::move(figures));
    }
    return all;
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

Evaluation evaluateSplit(LanguageModel& model, const Pass& given, const Split& split, const EvaluateOptions& asked,
    EventSink& progress, const std::stop_token& stop, const Tokenizer* tokenizer)
{
    const auto options = settled(asked);
    if (split.example > 0 && (options.context != split.example || options.protocol != "disjoint"))
        throw ConfigError("context", std::to_string(options.context) + ", " + options.protocol,
            std::to_string(split.example) + " and disjoint: an example of this task is a window");
    const auto count = tokensToScore(split, options.maxTokens);
    if (count < 2) throw DataError(split.name, "the split has fewer than two tokens", "give more text");
    const auto started = std::chrono::steady_clock::now();
    auto pass = given;
    pass.mix = &options.mix;
    const auto scores = scoreSplit(model, pass, split, count, options, progress, stop);

    Evaluation result;
    auto& e = result.figures;
    e.split = split.name;
    e.context = options.context;
    e.stride = options.stride;
    e.protocol = options.protocol;
    e.note = describe(options.mix);
    const bool task = split.example > 0;
    e.tokens = task ? std::count_if(split.targets.begin(), split.targets.begin() + count, [](auto t) { return t >= 0; })
                    : count - 1;
    double floor = 0;
    for (std::int64_t i = 1; i < count; ++i) {
        e.totalNll += double(scores.nll[std::size_t(i)]);
        if (!split.nats.empty()) floor += double(split.nats[std::size_t(i)]);
    }
    // Of the text as it is, as published counts are: also what the first token holds, which nothing predicts.
    e.words = split.words[std::size_t(count - 1)];
    e.bytes = split.bytes[std::size_t(count - 1)];
    e.nll = e.totalNll / double(e.tokens);
    e.perplexity = std::exp(e.nll);
    e.wordPerplexity = e.words > 0 ? std::exp(e.totalNll / double(e.words)) : 0;
    e.bitsPerByte = e.bytes > 0 ? e.totalNll / (std::numbers::ln2 * double(e.bytes)) : 0;
    if (!split.nats.empty()) e.floorNll = floor / double(e.tokens);
    if (options.recall && !split.probes.empty()) result.recall = scoreRecall(split, scores, count);
    if (options.byPosition) result.positions = byPosition(scores);
    if (tokenizer && !task) {
        const auto form = readTextForm(split, count, *tokenizer);
        result.text = form.name;
        if (options.byDocument) result.documents = byDocument(split, scores, form);
    }
    e.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return result;
}

std::vector<LayerMix> measureMixing(LanguageModel& model, const Pass& given, const Split& probe, std::int64_t context)
{
    const torch::NoGradGuard guard;
    const auto count = std::min<std::int64_t>(context, std::int64_t(probe.tokens.size()));
    auto ids = torch::empty({ 1, count }, torch::kLong);
    for (std::int64_t i = 0; i < count; ++i) ids.data_ptr<std::int64_t>()[i] = probe.tokens[std::size_t(i)];
    std::vector<LayerMix> layers;
    auto pass = given;
    pass.record = &layers;
    model.forward(ids.to(model.embedding().device()), pass);
    return layers;
}

} // namespace pha
