// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/metrics_line.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace pha {
namespace {

constexpr std::pair<RunState, const char*> stateNames[] = { { RunState::Preparing, "preparing" }, { RunState::Running, "running" },
    { RunState::Paused, "paused" }, { RunState::Finished, "finished" }, { RunState::Stopped, "stopped" },
    { RunState::Diverged, "diverged" }, { RunState::Failed, "failed" } };

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
    LineBuilder& addUnlessEmpty(const char* key, const std::string& value) { return value.empty() ? *this : add(key, value); }
    Json line()
    {
        if (nonfinite_) json_["nonfinite"] = true;
        return std::move(json_);
    }

private:
    Json json_;
    bool nonfinite_ = false;
};

struct ToJson {
    Json operator()(const StepEvent& e) const
    {
        LineBuilder line("step", e.step);
        line.add("tokens", e.tokens).add("seconds", e.seconds).add("loss", e.loss).add("lr", e.learningRate);
        line.add("grad_norm", e.gradNorm).add("tokens_per_second", e.tokensPerSecond);
        line.add("process_bytes", e.processBytes).add("device_bytes", e.deviceBytes);
        if (!e.applied) line.add("applied", false);
        return line.line();
    }
    Json operator()(const MixingEvent& e) const
    {
        LineBuilder line("mixing", e.step);
        auto layers = Json::array();
        for (const auto& layer : e.layers) {
            auto means = Json::object(), details = Json::object();
            for (const auto& b : layer.branches) {
                means[b.branch] = line.number(b.mean);
                details[b.branch] = { { "mean", line.number(b.mean) }, { "std", line.number(b.deviation) },
                    { "min", line.number(b.minimum) }, { "max", line.number(b.maximum) }, { "eff", line.number(b.normalised) },
                    { "rms", line.number(b.outputRms) }, { "contrib", line.number(b.contribution) } };
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
        line.add("perplexity", e.perplexity).add("word_perplexity", e.wordPerplexity).add("bits_per_byte", e.bitsPerByte);
        line.add("context", e.context).add("stride", e.stride).add("floor_nll", e.floorNll);
        if (e.seconds != 0) line.add("seconds", e.seconds);
        return line.addUnlessEmpty("note", e.note).line();
    }
    Json operator()(const RecallEvent& e) const
    {
        LineBuilder line("recall", e.step);
        auto bins = Json::array();
        for (const auto& b : e.bins) {
            const double accuracy = b.count > 0 ? double(b.correct) / double(b.count) : 0;
            bins.push_back({ { "from", b.distanceFrom }, { "to", b.distanceTo }, { "count", b.count }, { "correct", b.correct },
                { "accuracy", accuracy }, { "chance", line.number(b.chance) } });
        }
        line.add("split", e.split).add("accuracy", e.accuracy).add("chance", e.chance);
        return line.add("bins", std::move(bins)).line();
    }
    Json operator()(const SampleEvent& e) const
    {
        return LineBuilder("sample", e.step).add("prompt", e.prompt).add("text", e.text).line();
    }
    Json operator()(const CheckpointEvent& e) const
    {
        return LineBuilder("checkpoint", e.step).add("path", e.path).add("best", e.best).addUnlessEmpty("problem", e.problem).line();
    }
    Json operator()(const StatusEvent& e) const
    {
        const auto* name = std::find_if(std::begin(stateNames), std::end(stateNames), [&](const auto& s) { return s.first == e.state; });
        return LineBuilder("status", e.step).add("state", std::string(name->second)).addUnlessEmpty("detail", e.detail).line();
    }
    Json operator()(const CommandEvent& e) const
    {
        return LineBuilder("command", e.step).add("name", e.name).add("value", e.value).line();
    }
    Json operator()(const ReferenceEvent& e) const
    {
        return LineBuilder("references", 0).add("uniform", e.uniform).add("unigram", e.unigram).add("bigram", e.bigram)
            .add("floor", e.floor).line();
    }
    Json operator()(const ProgressEvent&) const { return nullptr; }
};

/// A member of the wrong type; ends the reading of one line.
struct WrongType { };

/// Typed access to one object. Absent members give the default, so that lines of older versions still read.
template <class J> class Members {
public:
    explicit Members(const J& json)
        : json_(json)
    {
        if (!json.is_object()) throw WrongType();
    }
    double number(const char* key, double missing = 0) const
    {
        const auto* v = find(key);
        return v == nullptr ? missing : toNumber(*v);
    }
    std::optional<double> optionalNumber(const char* key) const
    {
        const auto* v = find(key);
        return v == nullptr ? std::nullopt : std::optional<double>(toNumber(*v));
    }
    std::int64_t integer(const char* key) const
    {
        const auto* v = find(key);
        if (v == nullptr) return 0;
        if (v->is_number_unsigned() && v->template get<std::uint64_t>() > std::uint64_t(std::numeric_limits<std::int64_t>::max())) throw WrongType();
        if (v->is_number_integer()) return v->template get<std::int64_t>();
        // Other programs write 1e6 or 3.0; beyond 2^53 such a number is not exact any more.
        const double d = v->is_number_float() ? v->template get<double>() : std::nan("");
        if (!(std::abs(d) <= 9007199254740992.0) || d != std::floor(d)) throw WrongType();
        return static_cast<std::int64_t>(d);
    }
    std::string text(const char* key) const
    {
        const auto* v = find(key);
        if (v == nullptr) return {};
        if (!v->is_string()) throw WrongType();
        return v->template get<std::string>();
    }
    bool flag(const char* key, bool missing) const
    {
        const auto* v = find(key);
        if (v == nullptr) return missing;
        if (!v->is_boolean()) throw WrongType();
        return v->template get<bool>();
    }
    const J* find(const char* key) const
    {
        const auto found = json_.find(key);
        return found == json_.end() ? nullptr : &*found;
    }
    const J& list(const char* key) const
    {
        static const J none = J::array();
        const auto* v = find(key);
        if (v != nullptr && !v->is_array()) throw WrongType();
        return v == nullptr ? none : *v;
    }

private:
    static double toNumber(const J& v)
    {
        if (v.is_null()) return std::nan("");
        if (!v.is_number()) throw WrongType();
        return v.template get<double>();
    }
    const J& json_;
};

template <class J> LayerMix readLayer(const J& json)
{
    const Members<J> in(json);
    LayerMix layer;
    layer.entropy = in.number("entropy");
    static const J none = J::object();
    const auto* details = in.find("branches");
    if (details == nullptr) details = &none;
    if (!details->is_object()) throw WrongType();
    const auto take = [&](const std::string& name, const J& mean) {
        BranchMix b;
        b.branch = name;
        const auto detail = details->find(name);
        const Members<J> d(detail == details->end() ? none : *detail);
        b.mean = mean.is_null() ? std::nan("") : mean.is_number() ? mean.template get<double>() : throw WrongType();
        b.deviation = d.number("std"), b.minimum = d.number("min", b.mean), b.maximum = d.number("max", b.mean);
        b.normalised = d.number("eff"), b.outputRms = d.number("rms"), b.contribution = d.number("contrib");
        layer.branches.push_back(b);
    };
    // The file's order may be alphabetical; the display's never is.
    static const std::array<std::string, 3> usual { "gss", "attention", "ffn" };
    for (const auto& name : usual)
        if (const auto* mean = in.find(name.c_str())) take(name, *mean);
    for (auto it = json.begin(); it != json.end(); ++it)
        if (std::find(usual.begin(), usual.end(), it.key()) == usual.end() && it.key() != "entropy" && it.key() != "branches")
            take(it.key(), it.value());
    return layer;
}

/// What every reader needs: an event without it would be drawn as a zero.
void require(bool there)
{
    if (!there) throw WrongType();
}

template <class J> std::optional<Event> readEvent(const J& json)
{
    const Members<J> in(json);
    const auto type = in.text("type");
    const auto step = in.integer("step");
    if (type == "step") {
        require(in.find("step") && in.find("loss"));
        return StepEvent { step, in.integer("tokens"), in.number("seconds"), in.number("loss"), in.number("lr"), in.number("grad_norm"),
            in.number("tokens_per_second"), in.integer("process_bytes"), in.integer("device_bytes"), in.flag("applied", true) };
    }
    if (type == "mixing") {
        MixingEvent e { step, {} };
        for (const auto& layer : in.list("layers")) e.layers.push_back(readLayer(layer));
        return e;
    }
    if (type == "eval") {
        require(in.find("step") && in.find("nll"));
        return EvalEvent { step, in.text("split"), in.number("nll"), in.number("total_nll"), in.integer("tokens"), in.integer("words"),
            in.integer("bytes"), in.number("perplexity"), in.number("word_perplexity"), in.number("bits_per_byte"),
            in.integer("context"), in.integer("stride"), in.optionalNumber("floor_nll"), in.number("seconds"), in.text("note") };
    }
    if (type == "recall") {
        RecallEvent e { step, in.text("split"), {}, in.number("accuracy"), in.number("chance") };
        for (const auto& item : in.list("bins")) {
            const Members<J> bin(item);
            e.bins.push_back({ bin.integer("from"), bin.integer("to"), bin.integer("count"), bin.integer("correct"), bin.number("chance") });
        }
        return e;
    }
    if (type == "sample") return SampleEvent { step, in.text("prompt"), in.text("text") };
    if (type == "checkpoint") return CheckpointEvent { step, in.text("path"), in.flag("best", false), in.text("problem") };
    if (type == "status") {
        const auto name = in.text("state");
        for (const auto& [state, text] : stateNames)
            if (name == text) return StatusEvent { step, state, in.text("detail") };
    }
    if (type == "command") return CommandEvent { step, in.text("name"), in.text("value") };
    if (type == "references")
        return ReferenceEvent { in.number("uniform"), in.number("unigram"), in.number("bigram"), in.optionalNumber("floor") };
    return std::nullopt;
}

} // namespace

Json eventToJson(const Event& event) { return std::visit(ToJson(), event); }

std::optional<Event> eventFromJson(const Json& json)
{
    try {
        return readEvent(json);
    } catch (const WrongType&) {
        return std::nullopt;
    }
}

MetricsLine metricsLineFromJson(const nlohmann::json& json)
{
    try {
        return { readEvent(json), false };
    } catch (const WrongType&) {
        return { std::nullopt, true };
    }
}

} // namespace pha
