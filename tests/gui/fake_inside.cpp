// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gui/fake_inside.h"

#include "engine/config/families.h"

#include <algorithm>
#include <cmath>

namespace pha::test {
namespace {

/// At t: `far` tokens back with a weight of 0.7, the rest at t itself.
ReadingMap fakeAttention(std::int64_t layer, const std::string& part, std::int64_t heads, std::int64_t tokens)
{
    ReadingMap map { layer, part, heads, tokens, {} };
    map.weights.assign(std::size_t(heads * tokens * tokens), 0);
    for (std::int64_t h = 0; h < heads; ++h) {
        for (std::int64_t t = 0; t < tokens; ++t) {
            auto* row = map.weights.data() + (h * tokens + t) * tokens;
            row[t] += 0.3F;
            row[std::max<std::int64_t>(0, t - h - 1)] += 0.7F;
        }
    }
    return map;
}

ReadingMap fakeStateSpace(std::int64_t layer, const std::string& part, std::int64_t tokens)
{
    ReadingMap map { layer, part, 1, tokens, {} };
    map.weights.assign(std::size_t(tokens * tokens), 0);
    for (std::int64_t t = 0; t < tokens; ++t) {
        float sum = 0;
        auto* row = map.weights.data() + t * tokens;
        for (std::int64_t s = 0; s <= t; ++s) sum += row[s] = float(std::pow(0.5, double(t - s)));
        for (std::int64_t s = 0; s <= t; ++s) row[s] /= sum;
    }
    return map;
}

/// Means over heads and positions, as ReadingReach says.
ReadingReach fakeReach(const ReadingMap& map)
{
    ReadingReach reach { map.layer, map.part, {}, 0 };
    const auto n = map.tokens;
    for (std::int64_t h = 0; h < map.heads; ++h) {
        for (std::int64_t t = 0; t < n; ++t) {
            for (std::int64_t s = 0; s <= t; ++s) {
                const double share = double(map.weights[std::size_t((h * n + t) * n + s)]) / double(map.heads * n);
                std::size_t bin = 0;
                for (auto far = t - s; far > 0; far /= 2) ++bin;
                if (reach.shares.size() <= bin) reach.shares.resize(bin + 1);
                reach.shares[bin] += share;
                reach.meanDistance += share * double(t - s);
            }
        }
    }
    return reach;
}

/// As fakeAttention reads, of `queries` tokens: head 0 is named after the token before. Nothing in the text comes
/// again.
std::vector<HeadFigures> fakeHeads(const std::vector<ReadingMap>& maps, std::int64_t queries)
{
    std::vector<HeadFigures> heads;
    for (const auto& map : maps)
        for (std::int64_t h = 0; h < map.heads; ++h) {
            HeadFigures head { map.layer, map.part, h, {}, map.heads > 1 && h == 0 ? 0 : -1 };
            head.kinds[0] = { h == 0 ? 0.7 : 0.0, 0.25, queries };
            head.kinds[1] = { 0.3, 0.25, queries };
            heads.push_back(head);
        }
    return heads;
}

/// Half-lives of layer l double from quantile to quantile, from l + 1 tokens on.
StateMemory fakeMemory(std::int64_t layer, const std::string& part)
{
    const double first = double(layer + 1);
    return { layer, part, 512, { first, 2 * first, 4 * first, 8 * first, 16 * first }, 400 * first, 0.125 };
}

/// After `row` layers of `layers`, at position t: the token that comes has a probability of (row + 1) / (layers + 2),
/// and leads after 1 + t mod `layers` layers; before that the piece "no" leads.
LensLayer fakeLens(std::int64_t row, std::int64_t layers, const std::vector<GeneratedToken>& tokens)
{
    LensLayer lens;
    lens.layer = row - 1;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
        LensCell cell;
        const bool came = t + 1 < tokens.size(), leads = row >= 1 + std::int64_t(t) % layers;
        const TokenAlternative comes { came ? tokens[t + 1].id : 3, came ? tokens[t + 1].text : "more",
            double(row + 1) / double(layers + 2) };
        const TokenAlternative other { 9999, "no", leads ? 0.05 : 0.9 };
        cell.top = leads ? std::vector { comes, other } : std::vector { other, comes };
        if (came) cell.probability = comes.probability, cell.rank = leads ? 1 : 2;
        cell.entropy = double(layers - row);
        cell.divergence = 2 * double(layers - row);
        lens.cells.push_back(std::move(cell));
    }
    lens.nll = -std::log(double(row + 1) / double(layers + 2));
    lens.agreement = double(row) / double(layers);
    lens.divergence = 2 * double(layers - row);
    return lens;
}

/// Layer l's place p: rms 2 + l + p / 10, three values beyond it, the largest at the last token.
ActivationFigures fakeActivation(
    std::int64_t layer, const std::string& part, bool hidden, double p, const std::vector<GeneratedToken>& tokens)
{
    ActivationFigures figures;
    figures.layer = layer, figures.part = part, figures.hidden = hidden;
    figures.channels = 128;
    figures.rms = 2 + double(layer) + p / 10;
    figures.kurtosis = hidden ? 250 : 3.5;
    figures.largest = -8.5 * figures.rms;
    figures.largestToken = std::int64_t(tokens.size()) - 1, figures.largestChannel = 17;
    if (hidden) figures.outliers = 3, figures.silent = 40;
    if (!part.empty() && !hidden) figures.alike = -0.25;
    for (int bin = 0; bin < ActivationFigures::bins; ++bin)
        figures.histogram[std::size_t(bin)] = std::int64_t(1000 * std::exp(-std::pow((bin - 31.5) / 6, 2)));
    figures.histogram.front() = 3;
    return figures;
}

} // namespace

double fakePush(std::int64_t layer, std::size_t part, std::size_t parts, std::size_t token)
{
    if (token == 0) return 0;
    const double size = double(part + 1) + double(layer) / 10;
    return token % parts == part ? size : -size / 10;
}

InsideView fakeInside(const RunConfig& config, std::int64_t step, std::vector<GeneratedToken> tokens)
{
    InsideView view;
    view.step = step;
    const auto n = std::int64_t(tokens.size());
    if (n > 0) tokens.front().alternatives.clear(); // nothing predicted it
    view.tokens = std::move(tokens);
    const auto activation = [&](std::int64_t layer, const std::string& part, bool hidden, double p) {
        if (n > 0) view.activations.push_back(fakeActivation(layer, part, hidden, p, view.tokens));
    };
    activation(-1, {}, false, 0);
    view.pushes.push_back({ -1, "embedding", std::vector<float>(std::size_t(n), 0.25F) });
    if (n > 0) view.pushes.back().nats.front() = 0;
    if (config.model.family == "h3") view.pushes.push_back({ -1, "norms", std::vector<float>(std::size_t(n), 0.5F) });
    for (std::int64_t layer = 0; layer < config.model.layers; ++layer) {
        const auto parts = layerParts(config.model, layer);
        for (std::size_t p = 0; p < parts.size(); ++p) {
            if (parts[p] == "attention" || parts[p] == "hedgehog")
                view.maps.push_back(fakeAttention(layer, parts[p], config.model.queryHeads, n));
            else if (parts[p] == "gss" || parts[p] == "h3")
                view.maps.push_back(fakeStateSpace(layer, parts[p], n));
            if (parts[p] == "ffn" || parts[p] == "main") activation(layer, parts[p], true, double(p));
            activation(layer, parts[p], false, double(p));
            LogitPush push { layer, parts[p], {} };
            for (std::size_t t = 0; t < std::size_t(n); ++t)
                push.nats.push_back(float(fakePush(layer, p, parts.size(), t)));
            view.pushes.push_back(std::move(push));
        }
        activation(layer, {}, false, double(parts.size()));
    }
    for (const auto& map : view.maps) {
        view.reach.push_back(fakeReach(map));
        if (map.part == "gss" || map.part == "h3") view.memory.push_back(fakeMemory(map.layer, map.part));
    }
    view.heads = fakeHeads(view.maps, n - 1);
    for (std::int64_t row = 0; n > 0 && row <= config.model.layers; ++row)
        view.lens.push_back(fakeLens(row, config.model.layers, view.tokens));
    return view;
}

HeadTest fakeHeadTest(const RunConfig& config, std::int64_t step)
{
    const auto view = fakeInside(config, step, std::vector<GeneratedToken>(2));
    HeadTest test { step, 8, 64, config.training.context, fakeHeads(view.maps, 1016), 6.5, 1.25, view.memory };
    for (auto& head : test.heads)
        if (head.layer + 1 == config.model.layers) head.kinds[4] = { 0.84, 0.0125, 512 }, head.name = 4;
    return test;
}

} // namespace pha::test
