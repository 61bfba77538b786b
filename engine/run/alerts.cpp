// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/alerts.h"

#include "engine/base/text.h"
#include "engine/config/config.h"

#include <algorithm>
#include <cmath>

namespace pha {

MixingAround mixingAround(std::span<const MixingEvent> events, std::int64_t step)
{
    MixingAround around;
    for (const auto& event : events) {
        if (event.step < step) around.before = &event;
        if (event.step >= step && !around.after) around.after = &event;
    }
    return around;
}

std::string checkpointBefore(const RunDirectory& run, std::int64_t step)
{
    std::string newest;
    for (const auto& name : run.list()) { // ascending
        if (checkpointStep(name).value_or(step) < step) newest = name;
    }
    return newest;
}

std::string skipFrom(const std::string& skipData, std::int64_t step, std::int64_t updates)
{
    TrainingConfig config;
    config.skipData = skipData;
    auto skips = config.skips();
    const auto same = std::find_if(skips.begin(), skips.end(), [&](const auto& skip) { return skip.before == step; });
    if (same != skips.end())
        same->updates += updates;
    else
        skips.push_back({ step, updates });
    std::sort(skips.begin(), skips.end(), [](const auto& a, const auto& b) { return a.before < b.before; });
    std::vector<std::string> words;
    for (const auto& skip : skips) words.push_back(std::to_string(skip.before) + "+" + std::to_string(skip.updates));
    return joinList(words, ",");
}

std::vector<CostlyToken> costliestTokens(const CostlyText& text, std::size_t most)
{
    std::vector<CostlyToken> tokens;
    for (const auto& token : text.excerpt)
        if (token.nats) tokens.push_back(token);
    const auto rank = [](const CostlyToken& token) { return std::isfinite(*token.nats) ? *token.nats : 1e30; };
    std::stable_sort(tokens.begin(), tokens.end(), [&](const auto& a, const auto& b) { return rank(a) > rank(b); });
    tokens.resize(std::min(tokens.size(), most));
    return tokens;
}

} // namespace pha
