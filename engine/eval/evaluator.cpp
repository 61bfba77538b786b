// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/evaluator.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/documents.h"

#include <chrono>
#include <cmath>
#include <numbers>

namespace pha {

namespace {

/// Inputs are tokens [begin, end); of the targets [begin+1, end+1) those after `scoredUpTo` count.
struct Window {
    std::int64_t begin, end, scoredUpTo;
};

std::vector<Window> windows(std::int64_t tokens, std::int64_t context, std::int64_t stride)
{
    std::vector<Window> all;
    std::int64_t done = 0; // index of the last target scored so far
    for (std::int64_t begin = 0; done < tokens - 1; begin += stride) {
        const auto end = std::min(begin + context, tokens - 1);
        all.push_back({ begin, end, done });
        done = end;
    }
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

/// Per-token scores of the whole split; index i belongs to the prediction of token i (0 is never predicted).
struct Scores {
    std::vector<float> nll;
    std::vector<bool> correct;
    std::vector<std::int32_t> seen; ///< tokens that the prediction was made from
};

/// `rows` windows of one length, read at once. With a state there is one row, and it continues the text before.
void scoreTogether(LanguageModel& model, const Pass& pass, const Split& split, const Window* group, std::int64_t rows,
    ModelState* state, Scores& scores)
{
    const auto length = group->end - group->begin, read = state ? state->length : 0;
    const auto device = model.embedding().device();
    auto ids = torch::empty({ rows, length }, torch::kLong), targets = torch::empty_like(ids);
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t t = 0; t < length; ++t) {
            const auto at = std::size_t(group[r].begin + t);
            ids.data_ptr<std::int64_t>()[r * length + t] = split.tokens[at];
            targets.data_ptr<std::int64_t>()[r * length + t] = split.tokens[at + 1];
        }
    const auto h = model.forward(ids.to(device), pass, state);
    const auto s =
        scoreTokens(h.reshape({ -1, h.size(-1) }), model.embedding(), targets.reshape(-1).to(device), pass.matrix);
    for (std::int64_t r = 0; r < rows; ++r)
        for (auto target = group[r].scoredUpTo + 1; target <= group[r].end; ++target) {
            const auto at = target - group[r].begin;
            scores.nll[std::size_t(target)] = s.nll.data_ptr<float>()[r * length + at - 1];
            scores.correct[std::size_t(target)] = s.correct.data_ptr<bool>()[r * length + at - 1];
            scores.seen[std::size_t(target)] = std::int32_t(read + at);
        }
}

Scores scoreSplit(LanguageModel& model, const Pass& pass, const Split& split, std::int64_t count,
    const EvaluateOptions& options, EventSink& progress, std::stop_token stop)
{
    const torch::NoGradGuard guard;
    const auto size = std::size_t(count);
    Scores scores { std::vector<float>(size), std::vector<bool>(size), std::vector<std::int32_t>(size) };
    const auto list = windows(count, options.context, options.stride);
    auto state = model.freshState();
    const bool stateful = options.protocol == "stateful";
    for (std::size_t first = 0; first < list.size();) {
        if (stop.stop_requested()) throw Error("the evaluation was stopped", "start it again to get its figures");
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

std::vector<PositionBin> byPosition(const Scores& scores)
{
    std::vector<PositionBin> bins;
    for (std::size_t i = 1; i < scores.nll.size(); ++i) {
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
        const auto begin = std::max<std::size_t>(1, std::size_t(form.documents[d].begin));
        const auto end = d + 1 < form.documents.size() ? std::size_t(form.documents[d + 1].begin) : count;
        if (begin >= end) continue;
        DocumentFigures figures { form.documents[d].title, std::int64_t(end - begin),
            split.words[end - 1] - split.words[begin - 1], split.bytes[end - 1] - split.bytes[begin - 1], 0 };
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
    return event;
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
    EventSink& progress, std::stop_token stop, const Tokenizer* tokenizer)
{
    const auto options = settled(asked);
    const auto all = std::int64_t(split.tokens.size());
    const auto count = options.maxTokens > 0 ? std::min(all, options.maxTokens + 1) : all;
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
    e.tokens = count - 1;
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
    if (options.byPosition) result.positions = byPosition(scores);
    if (tokenizer) {
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
