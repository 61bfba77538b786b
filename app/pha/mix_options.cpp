// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/mix_options.h"

#include "app/pha/command.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fmt/format.h>

namespace pha::cli {

namespace {

struct Part {
    std::int64_t layer = -1; ///< -1: every layer
    std::string rest;
};

Part splitLayer(const std::string& option, const std::string& text, const std::string& form)
{
    const auto colon = text.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) throw ConfigError(option, text, form);
    const auto layer = text.substr(0, colon);
    if (layer == "all") return { -1, text.substr(colon + 1) };
    const auto number = parseInteger(option + " layer", layer);
    checkRange(option + " layer", number, 0, 1 << 20);
    return { number, text.substr(colon + 1) };
}

Part splitMute(const std::string& text)
{
    return splitLayer("--mute", text, "LAYER:BRANCH, as in 2:attention or all:gss");
}
Part splitMix(const std::string& text) { return splitLayer("--mix", text, "LAYER:a,b,c, as in 0:0.5,0.3,0.2"); }

std::vector<double> weights(const std::string& text)
{
    constexpr double largest = 1e6; // far beyond all that are learnt, and far from what fp32 can hold
    std::vector<double> list;
    for (const auto& part : splitCommas(text)) {
        list.push_back(parseNumber("--mix weight", part));
        if (list.back() < 0 || list.back() > largest)
            throw ConfigError("--mix weight", part, fmt::format("a number from 0 to {:.0f}", largest));
    }
    return list;
}

void checkLayer(const std::string& option, std::int64_t layer, const ModelConfig& model)
{
    if (layer >= model.layers)
        throw ConfigError(
            option + " layer", std::to_string(layer), fmt::format("all or a layer from 0 to {}", model.layers - 1));
}

/// What `all:` weights: the branches of the mix or, in a family without one, every part that some layer has.
std::vector<std::string> allShown(const ModelConfig& model)
{
    const auto mixed = model.branchList();
    return mixed.empty() ? modelParts(model) : mixed;
}

} // namespace

void MixOptions::add(CLI::App& command)
{
    command
        .add_option("--mute", mutes_,
            "LAYER:BRANCH to silence (all:gss for every layer), a branch being any part of that layer; may be repeated")
        ->allow_extra_args(false);
    command
        .add_option("--mix", mixes_,
            "LAYER:a,b,c mixing weights to use as given, in the order in which pha inspect lists the layer's branches; "
            "may be "
            "repeated")
        ->allow_extra_args(false);
}

void MixOptions::check() const
{
    for (const auto& text : mutes_) splitMute(text);
    for (const auto& text : mixes_) weights(splitMix(text).rest);
}

std::vector<MixOverride> MixOptions::resolve(const ModelConfig& model) const
{
    std::vector<MixOverride> list;
    for (const auto& text : mixes_) {
        const auto [layer, rest] = splitMix(text);
        checkLayer("--mix", layer, model);
        const auto values = weights(rest);
        const auto branches = layer < 0 ? allShown(model) : shownParts(model, layer);
        if (values.size() != branches.size())
            throw ConfigError("--mix", text, fmt::format("{} weights, for {}", branches.size(), joinList(branches)));
        for (std::size_t b = 0; b < branches.size(); ++b) list.push_back({ layer, branches[b], values[b] });
    }
    // After the weights: a branch that is both weighted and muted is muted.
    for (const auto& text : mutes_) {
        const auto [layer, branch] = splitMute(text);
        checkLayer("--mute", layer, model);
        checkPart(model, layer, branch);
        list.push_back({ layer, branch, 0 });
    }
    return list;
}

std::string MixOptions::description() const
{
    std::string text;
    for (const auto& mix : mixes_) text += (text.empty() ? "mix " : ", mix ") + mix;
    for (const auto& mute : mutes_) text += (text.empty() ? "mute " : ", mute ") + mute;
    return text;
}

} // namespace pha::cli
