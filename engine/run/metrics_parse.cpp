// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/metrics_line.h"

#include "engine/config/parts.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pha {
namespace {

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
        if (v->is_number_unsigned()
            && v->template get<std::uint64_t>() > std::uint64_t(std::numeric_limits<std::int64_t>::max()))
            throw WrongType();
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

    static double toNumber(const J& v)
    {
        if (v.is_null()) return std::nan("");
        if (!v.is_number()) throw WrongType();
        return v.template get<double>();
    }

private:
    const J& json_;
};

/// A layer without a mix: its parts in the order in which they follow one another.
template <class J> LayerMix readPlainLayer(const J& details)
{
    LayerMix layer;
    layer.mixed = false;
    for (auto it = details.begin(); it != details.end(); ++it) {
        const Members<J> d(it.value());
        BranchMix b;
        b.branch = it.key();
        b.outputRms = d.number("rms"), b.contribution = d.number("contrib");
        layer.branches.push_back(b);
    }
    return layer;
}

template <class J> LayerMix readLayer(const J& json)
{
    const Members<J> in(json);
    static const J none = J::object();
    const auto* details = in.find("branches");
    if (details == nullptr) details = &none;
    if (!details->is_object()) throw WrongType();
    if (!in.flag("mixed", true)) return readPlainLayer(*details);
    LayerMix layer;
    layer.entropy = in.number("entropy");
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
    static const auto usual = branchNames();
    for (const auto& name : usual)
        if (const auto* mean = in.find(name.c_str())) take(name, *mean);
    for (auto it = json.begin(); it != json.end(); ++it)
        if (std::find(usual.begin(), usual.end(), it.key()) == usual.end() && it.key() != "entropy"
            && it.key() != "branches" && it.key() != "mixed")
            take(it.key(), it.value());
    return layer;
}

/// What every reader needs: an event without it would be drawn as a zero.
void require(bool there)
{
    if (!there) throw WrongType();
}

/// A token is [text, probability, entropy].
template <class J> SampleEvent readSample(std::int64_t step, const Members<J>& in)
{
    SampleEvent e { step, in.text("prompt"), in.text("text") };
    if (in.find("seed") != nullptr) e.seed = in.integer("seed");
    for (const auto& item : in.list("tokens")) {
        require(item.is_array() && item.size() >= 2 && item[0].is_string());
        SampleToken token { item[0].template get<std::string>(), in.toNumber(item[1]) };
        if (item.size() > 2) token.entropy = in.toNumber(item[2]);
        e.tokens.push_back(std::move(token));
    }
    return e;
}

template <class J> HeadsEvent readHeads(std::int64_t step, const Members<J>& in)
{
    require(in.find("first_nll") && in.find("second_nll"));
    HeadsEvent e { step, in.number("first_nll"), in.number("second_nll") };
    const auto* strongest = in.find("strongest");
    require(strongest == nullptr || strongest->is_object());
    if (strongest == nullptr || strongest->empty()) return e;
    for (const auto* kind : headKinds) {
        const auto found = strongest->find(kind);
        auto& head = e.strongest.emplace_back();
        if (found == strongest->end()) continue;
        const Members<J> one(*found);
        head = { one.number("share"), one.integer("layer"), one.text("part"), one.integer("head"),
            one.integer("named") };
    }
    return e;
}

template <class J> CostlyText readCostlyText(const J& json)
{
    const Members<J> in(json);
    CostlyText text { in.integer("row"), in.text("place"), in.number("loss"), in.integer("scored"), in.integer("from"),
        in.integer("tokens"), {} };
    for (const auto& item : in.list("excerpt")) {
        require(item.is_array() && !item.empty() && item[0].is_string());
        CostlyToken token { item[0].template get<std::string>(), {} };
        if (item.size() > 1) token.nats = in.toNumber(item[1]);
        text.excerpt.push_back(std::move(token));
    }
    return text;
}

template <class J> AlertEvent readAlert(std::int64_t step, const Members<J>& in)
{
    require(in.find("step") && in.find("kind"));
    AlertEvent e { step, in.text("kind"), in.text("message"), in.number("loss"), in.number("grad_norm"),
        in.optionalNumber("median"), in.optionalNumber("deviations"), in.optionalNumber("grad_norm_before") };
    if (in.find("usual_step")) e.usualStep = in.integer("usual_step");
    e.cause = in.text("cause"), e.note = in.text("note");
    for (const auto& text : in.list("texts")) e.texts.push_back(readCostlyText(text));
    for (const auto& item : in.list("gradients")) {
        const Members<J> gradient(item);
        e.gradients.push_back({ gradient.find("layer") ? gradient.integer("layer") : -1, gradient.text("part"),
            gradient.number("norm"), gradient.optionalNumber("usual") });
    }
    return e;
}

template <class J> std::optional<Event> readEvent(const J& json)
{
    const Members<J> in(json);
    const auto type = in.text("type");
    const auto step = in.integer("step");
    if (type == "step") {
        require(in.find("step") && in.find("loss"));
        return StepEvent { step, in.integer("tokens"), in.number("seconds"), in.number("loss"), in.number("lr"),
            in.number("grad_norm"), in.number("tokens_per_second"), in.integer("process_bytes"),
            in.integer("device_bytes"), in.flag("applied", true), in.optionalNumber("distillation"),
            in.optionalNumber("distillation_floor"), in.optionalNumber("cores_busy"), in.optionalNumber("device_use"),
            in.optionalNumber("watts"), in.optionalNumber("celsius") };
    }
    if (type == "mixing") {
        MixingEvent e { step, {} };
        for (const auto& layer : in.list("layers")) e.layers.push_back(readLayer(layer));
        return e;
    }
    if (type == "eval") {
        require(in.find("step") && in.find("nll"));
        const auto protocol = in.text("protocol"); // older lines have none
        const bool strided = in.integer("stride") < in.integer("context");
        return EvalEvent { step, in.text("split"), in.number("nll"), in.number("total_nll"), in.integer("tokens"),
            in.integer("words"), in.integer("bytes"), in.number("perplexity"), in.number("word_perplexity"),
            in.number("bits_per_byte"), in.integer("context"), in.integer("stride"), in.optionalNumber("floor_nll"),
            in.number("seconds"), in.text("note"),
            !protocol.empty() ? protocol
                : strided     ? "strided"
                              : "disjoint" };
    }
    if (type == "recall") {
        RecallEvent e { step, in.text("split"), {}, in.number("accuracy"), in.number("chance"),
            in.optionalNumber("exact") };
        for (const auto& item : in.list("bins")) {
            const Members<J> bin(item);
            e.bins.push_back({ bin.integer("from"), bin.integer("to"), bin.integer("count"), bin.integer("correct"),
                bin.number("chance") });
        }
        return e;
    }
    if (type == "heads") return readHeads(step, in);
    if (type == "time")
        return TimeEvent { step, in.number("updates"), in.number("data"), in.number("evaluation"), in.number("samples"),
            in.number("checkpoints"), in.number("monitoring"), in.optionalNumber("gemm") };
    if (type == "sample") return readSample(step, in);
    if (type == "checkpoint")
        return CheckpointEvent { step, in.text("path"), in.flag("best", false), in.text("problem") };
    if (type == "status") {
        const auto name = in.text("state");
        for (const auto& [state, text] : stateNames)
            if (name == text) return StatusEvent { step, state, in.text("detail") };
    }
    if (type == "alert") return readAlert(step, in);
    if (type == "command")
        return CommandEvent { step, in.text("name"), in.text("value"),
            in.find("was") ? std::optional(in.text("was")) : std::nullopt };
    if (type == "references")
        return ReferenceEvent { in.number("uniform"), in.number("unigram"), in.number("bigram"),
            in.optionalNumber("floor") };
    return std::nullopt;
}

} // namespace

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
