// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/metrics_line.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace pha {
namespace {

constexpr std::string_view stepStart = "{\"type\":\"step\",", eventStart = "{\"type\":\"";

/// Reads the lines that make up nearly all of a file, a flat object of numbers in our own spelling, without a tree: a
/// file of millions of steps opens in a second or two. Anything unusual is left to the full parser.
class StepLine {
public:
    explicit StepLine(std::string_view line)
        : at_(line.data() + stepStart.size())
        , end_(line.data() + line.size())
    {
    }

    bool read(StepEvent& e)
    {
        e.loss =
            std::numeric_limits<double>::infinity(); // JSON has no such number: still there means no loss in the line
        bool stepSeen = false;
        for (;;) {
            std::string_view key;
            if (!readKey(key) || !member(key, e, stepSeen)) return false;
            if (skip('}')) return at_ == end_ && stepSeen && !std::isinf(e.loss);
            if (!skip(',')) return false;
        }
    }

private:
    bool skip(char c) { return at_ < end_ && *at_ == c ? ++at_, true : false; }

    bool readKey(std::string_view& key)
    {
        if (!skip('"')) return false;
        const char* begin = at_;
        while (at_ < end_ && *at_ != '"' && *at_ != '\\') ++at_;
        key = std::string_view(begin, static_cast<std::size_t>(at_ - begin));
        return skip('"') && skip(':');
    }

    bool member(std::string_view key, StepEvent& e, bool& stepSeen)
    {
        if (key == "step") return stepSeen = true, integer(e.step);
        if (key == "tokens") return integer(e.tokens);
        if (key == "seconds") return number(e.seconds);
        if (key == "loss") return number(e.loss);
        if (key == "lr") return number(e.learningRate);
        if (key == "grad_norm") return number(e.gradNorm);
        if (key == "tokens_per_second") return number(e.tokensPerSecond);
        if (key == "process_bytes") return integer(e.processBytes);
        if (key == "device_bytes") return integer(e.deviceBytes);
        if (key == "cores_busy") return number(e.coresBusy.emplace());
        if (key == "device_use") return number(e.deviceUse.emplace());
        if (key == "watts") return number(e.watts.emplace());
        if (key == "celsius") return number(e.celsius.emplace());
        if (key == "applied" && word("false")) return e.applied = false, true;
        return key == "nonfinite" && word("true");
    }

    bool word(std::string_view text)
    {
        if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(text)) return false;
        at_ += text.size();
        return true;
    }

    /// JSON numbers begin with a digit, or a minus and a digit, and have no leading zero; from_chars would also take
    /// "inf".
    bool begins() const
    {
        const char* p = at_ < end_ && *at_ == '-' ? at_ + 1 : at_;
        if (p >= end_ || *p < '0' || *p > '9') return false;
        return *p != '0' || p + 1 >= end_ || p[1] < '0' || p[1] > '9';
    }

    bool integer(std::int64_t& value)
    {
        if (!begins()) return false;
        const auto [stop, error] = std::from_chars(at_, end_, value);
        at_ = stop;
        return error == std::errc() && at_ < end_ && (*at_ == ',' || *at_ == '}');
    }

    bool number(double& value)
    {
        if (word("null")) return value = std::numeric_limits<double>::quiet_NaN(), true;
        if (!begins()) return false;
        const auto [stop, error] = std::from_chars(at_, end_, value);
        // "1." is no JSON number, though from_chars takes it.
        if (error != std::errc() || stop[-1] == '.') return false;
        at_ = stop;
        return true;
    }

    const char* at_;
    const char* end_;
};

MetricsLine parseWhole(std::string_view line)
{
    if (line.starts_with(stepStart)) {
        StepEvent step;
        if (StepLine(line).read(step)) return { step, false };
    }
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_discarded()) return { std::nullopt, true };
    return metricsLineFromJson(json);
}

} // namespace

MetricsLine parseMetricsLine(std::string_view line)
{
    // After a power cut a file system may show a block of zeros where the last rows were.
    const auto text = line.find_first_not_of('\0');
    if (text != 0 && !line.empty())
        return { text == line.npos ? std::nullopt : parseMetricsLine(line.substr(text)).event, true };
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == line.npos) return {};

    auto result = parseWhole(line);
    if (!result.damaged) return result;
    // A row that another writer put after our torn one. A quote inside a string is escaped, so this is no part of a
    // text.
    const auto next = line.rfind(eventStart);
    if (next != line.npos && next > 0) result.event = parseWhole(line.substr(next)).event;
    return result;
}

} // namespace pha
