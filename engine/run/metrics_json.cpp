// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/metrics_line.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace pha {
namespace {

/// Builds one line and remembers whether a number had to become null.
class LineBuilder {
public:
    LineBuilder(const char* type, std::int64_t step) { json_ = { { "type", type }, { "step", step } }; }
    Json number(double value)
    {
        if (std::isfinite(value)) return value;
        nonfinite_ = true;
        return nullptr;
    }
    LineBuilder& add(const char* key, double value) { return json_[key] = number(value), *this; }
    LineBuilder& add(const char* key, std::int64_t value) { return json_[key] = value, *this; }
    LineBuilder& add(const char* key, const std::string& value) { return json_[key] = value, *this; }
    LineBuilder& add(const char* key, bool value) { return json_[key] = value, *this; }
    LineBuilder& add(const char* key, Json value) { return json_[key] = std::move(value), *this; }
    LineBuilder& add(const char* key, const std::optional<double>& value) { return value ? add(key, *value) : *this; }
    LineBuilder& addUnlessEmpty(const char* key, const std::string& value)
    {
        return value.empty() ? *this : add(key, value);
    }
    Json line()
    {
        if (nonfinite_) json_["nonfinite"] = true;
        return std::move(json_);
    }

private:
    Json json_;
    bool nonfinite_ = false;
};

/// A layer without a mix: no weights, no entropy, but what each part writes.
Json plainLayer(const LayerMix& layer, LineBuilder& line)
{
    auto details = Json::object();
    for (const auto& b : layer.branches)
        details[b.branch] = { { "rms", line.number(b.outputRms) }, { "contrib", line.number(b.contribution) } };
    return { { "mixed", false }, { "branches", std::move(details) } };
}

/// A token is [text, nats], one that was not scored [text].
Json costlyText(const CostlyText& text, LineBuilder& line)
{
    auto excerpt = Json::array();
    for (const auto& token : text.excerpt) {
        auto item = Json::array({ token.text });
        if (token.nats) item.push_back(line.number(*token.nats));
        excerpt.push_back(std::move(item));
    }
    return { { "row", text.row }, { "place", text.place }, { "loss", line.number(text.loss) },
        { "scored", text.scored }, { "from", text.from }, { "tokens", text.tokens },
        { "excerpt", std::move(excerpt) } };
}

Json partGradient(const PartGradient& gradient, LineBuilder& line)
{
    Json json { { "layer", gradient.layer }, { "part", gradient.part }, { "norm", line.number(gradient.norm) } };
    if (gradient.usual) json["usual"] = line.number(*gradient.usual);
    return json;
}

struct ToJson {
    Json operator()(const StepEvent& e) const
    {
        LineBuilder line("step", e.step);
        line.add("tokens", e.tokens).add("seconds", e.seconds).add("loss", e.loss).add("lr", e.learningRate);
        line.add("grad_norm", e.gradNorm).add("tokens_per_second", e.tokensPerSecond);
        line.add("process_bytes", e.processBytes).add("device_bytes", e.deviceBytes);
        if (!e.applied) line.add("applied", false);
        line.add("distillation", e.distillation).add("distillation_floor", e.distillationFloor);
        line.add("cores_busy", e.coresBusy).add("device_use", e.deviceUse);
        line.add("watts", e.watts).add("celsius", e.celsius);
        return line.line();
    }
    Json operator()(const MixingEvent& e) const
    {
        LineBuilder line("mixing", e.step);
        auto layers = Json::array();
        for (const auto& layer : e.layers) {
            if (!layer.mixed) {
                layers.push_back(plainLayer(layer, line));
                continue;
            }
            auto means = Json::object(), details = Json::object();
            for (const auto& b : layer.branches) {
                means[b.branch] = line.number(b.mean);
                details[b.branch] = { { "mean", line.number(b.mean) }, { "std", line.number(b.deviation) },
                    { "min", line.number(b.minimum) }, { "max", line.number(b.maximum) },
                    { "eff", line.number(b.normalised) }, { "rms", line.number(b.outputRms) },
                    { "contrib", line.number(b.contribution) } };
            }
            means["entropy"] = line.number(layer.entropy);
            means["branches"] = std::move(details);
            layers.push_back(std::move(means));
        }
        return line.add("layers", std::move(layers)).line();
    }
    Json operator()(const EvalEvent& e) const
    {
        LineBuilder line("eval", e.step);
        line.add("split", e.split).add("nll", e.nll).add("total_nll", e.totalNll);
        line.add("tokens", e.tokens).add("words", e.words).add("bytes", e.bytes);
        line.add("perplexity", e.perplexity);
        // Null per word and per byte of a text that nobody knows.
        line.add("word_perplexity", e.words > 0 ? line.number(e.wordPerplexity) : Json());
        line.add("bits_per_byte", e.bytes > 0 ? line.number(e.bitsPerByte) : Json());
        line.add("context", e.context).add("stride", e.stride).add("floor_nll", e.floorNll);
        if (e.seconds != 0) line.add("seconds", e.seconds);
        return line.add("protocol", e.protocol).addUnlessEmpty("note", e.note).line();
    }
    Json operator()(const RecallEvent& e) const
    {
        LineBuilder line("recall", e.step);
        auto bins = Json::array();
        for (const auto& b : e.bins) {
            const double accuracy = b.count > 0 ? double(b.correct) / double(b.count) : 0;
            bins.push_back({ { "from", b.distanceFrom }, { "to", b.distanceTo }, { "count", b.count },
                { "correct", b.correct }, { "accuracy", accuracy }, { "chance", line.number(b.chance) } });
        }
        line.add("split", e.split).add("accuracy", e.accuracy).add("chance", e.chance).add("exact", e.exact);
        return line.add("bins", std::move(bins)).line();
    }
    Json operator()(const HeadsEvent& e) const
    {
        LineBuilder line("heads", e.step);
        line.add("first_nll", e.firstNll).add("second_nll", e.secondNll);
        auto strongest = Json::object();
        for (std::size_t kind = 0; kind < e.strongest.size(); ++kind) {
            const auto& head = e.strongest[kind];
            strongest[headKinds[kind]] = { { "share", line.number(head.share) }, { "layer", head.layer },
                { "part", head.part }, { "head", head.head }, { "named", head.named } };
        }
        return line.add("strongest", std::move(strongest)).line();
    }
    Json operator()(const TimeEvent& e) const
    {
        LineBuilder line("time", e.step);
        line.add("updates", e.updates).add("data", e.data).add("evaluation", e.evaluation).add("samples", e.samples);
        return line.add("checkpoints", e.checkpoints).add("monitoring", e.monitoring).add("gemm", e.gemm).line();
    }
    Json operator()(const SampleEvent& e) const
    {
        LineBuilder line("sample", e.step);
        line.add("prompt", e.prompt).add("text", e.text);
        if (e.seed) line.add("seed", *e.seed);
        if (e.tokens.empty()) return line.line();
        auto tokens = Json::array();
        for (const auto& t : e.tokens)
            tokens.push_back(Json::array({ t.text, line.number(t.probability), line.number(t.entropy) }));
        return line.add("tokens", std::move(tokens)).line();
    }
    Json operator()(const CheckpointEvent& e) const
    {
        return LineBuilder("checkpoint", e.step)
            .add("path", e.path)
            .add("best", e.best)
            .addUnlessEmpty("problem", e.problem)
            .line();
    }
    Json operator()(const StatusEvent& e) const
    {
        return LineBuilder("status", e.step)
            .add("state", std::string(nameOf(e.state)))
            .addUnlessEmpty("detail", e.detail)
            .line();
    }
    Json operator()(const AlertEvent& e) const
    {
        LineBuilder line("alert", e.step);
        line.add("kind", e.kind).add("message", e.message).add("loss", e.loss).add("grad_norm", e.gradNorm);
        line.add("median", e.median).add("deviations", e.deviations).add("grad_norm_before", e.gradNormBefore);
        if (e.usualStep) line.add("usual_step", *e.usualStep);
        line.addUnlessEmpty("cause", e.cause).addUnlessEmpty("note", e.note);
        if (!e.examined()) return line.line();
        auto texts = Json::array(), gradients = Json::array();
        for (const auto& text : e.texts) texts.push_back(costlyText(text, line));
        for (const auto& gradient : e.gradients) gradients.push_back(partGradient(gradient, line));
        return line.add("texts", std::move(texts)).add("gradients", std::move(gradients)).line();
    }
    Json operator()(const CommandEvent& e) const
    {
        LineBuilder line("command", e.step);
        line.add("name", e.name).add("value", e.value);
        if (e.was) line.add("was", *e.was);
        return line.line();
    }
    Json operator()(const ReferenceEvent& e) const
    {
        return LineBuilder("references", 0)
            .add("uniform", e.uniform)
            .add("unigram", e.unigram)
            .add("bigram", e.bigram)
            .add("floor", e.floor)
            .line();
    }
    Json operator()(const ProgressEvent&) const { return nullptr; }
};

} // namespace

Json eventToJson(const Event& event) { return std::visit(ToJson(), event); }

} // namespace pha
