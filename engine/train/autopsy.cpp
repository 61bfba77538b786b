// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/autopsy.h"

#include "engine/config/parts.h"
#include "engine/data/token_preview.h"
#include "engine/model/weights.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

namespace pha {

namespace {

constexpr std::size_t textsShown = 8, excerptTokens = 64;

/// A loss that is no number is worse than any that is.
double rank(double nats) { return std::isfinite(nats) ? nats : 1e30; }

struct Row {
    const Batch* batch = nullptr;
    std::int64_t index = 0, number = 0; ///< in its micro-batch, in the update
    const float* losses = nullptr; ///< (T)
    double sum = 0;
    std::int64_t scored = 0;
    double mean() const { return scored > 0 ? sum / double(scored) : 0; }
    std::int64_t target(std::int64_t t) const { return batch->targets[std::size_t(index * batch->context + t)]; }
    std::int64_t id(std::int64_t t) const { return batch->ids[std::size_t(index * batch->context + t)]; }
};

std::vector<Row> rowsOf(const std::vector<Batch>& batches, const float* losses)
{
    std::vector<Row> rows;
    for (const auto& batch : batches)
        for (std::int64_t r = 0; r < batch.rows; ++r, losses += batch.context) {
            Row row { &batch, r, std::int64_t(rows.size()), losses };
            for (std::int64_t t = 0; t < batch.context; ++t)
                if (row.target(t) >= 0) row.sum += double(losses[t]), ++row.scored;
            rows.push_back(row);
        }
    return rows;
}

/// The row as it was read, each token with what it cost to predict it. In a task an answer that is not read stands
/// behind an arrow.
std::vector<CostlyToken> tokensOf(const Row& row, const Tokenizer& tokenizer)
{
    const auto T = row.batch->context;
    const auto text = [&](std::int64_t id) { return readablePiece(tokenizer.piece(std::int32_t(id))); };
    std::vector<CostlyToken> tokens { { text(row.id(0)), {} } };
    for (std::int64_t t = 0; t < T; ++t) {
        const auto target = row.target(t);
        const bool readNext = t + 1 < T && row.id(t + 1) == target;
        if (target >= 0) tokens.push_back({ (readNext || t + 1 == T ? "" : "\u2192") + text(target), row.losses[t] });
        if (t + 1 < T && !readNext) tokens.push_back({ text(row.id(t + 1)), {} });
    }
    return tokens;
}

/// The stretch of so many tokens that costs most.
std::size_t costliestStretch(const std::vector<CostlyToken>& tokens, std::size_t length)
{
    const auto cost = [&](std::size_t i) { return tokens[i].nats ? rank(*tokens[i].nats) : 0; };
    double sum = 0, most = -1;
    std::size_t best = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        sum += cost(i);
        if (i >= length) sum -= cost(i - length);
        if (i + 1 < length || sum <= most) continue;
        most = sum;
        best = i + 1 - length;
    }
    return best;
}

CostlyText describe(const Row& row, const Tokenizer& tokenizer, const BatchSource& source)
{
    auto tokens = tokensOf(row, tokenizer);
    const auto length = std::min(tokens.size(), excerptTokens), from = costliestStretch(tokens, length);
    CostlyText text { row.number, source.words(row.batch->places.at(std::size_t(row.index))), row.mean(), row.scored,
        std::int64_t(from), std::int64_t(tokens.size()), {} };
    for (std::size_t i = from; i < from + length; ++i) {
        auto& token = tokens[i];
        if (token.nats) *token.nats = std::round(*token.nats * 1e3) / 1e3; // a line is read by people
        text.excerpt.push_back(std::move(token));
    }
    return text;
}

/// "layers.3.gss.value": 3; -1 outside layers.
std::int64_t layerOf(const std::string& name)
{
    const std::string begin = "layers.";
    return name.starts_with(begin) ? std::stoll(name.substr(begin.size())) : -1;
}

/// Place among the parts of a layer, and its name.
std::pair<std::size_t, std::string> partOf(const std::string& name)
{
    const auto counted = parameterPart(name);
    const auto& all = parts();
    for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i].countedAs == counted && name.find("." + all[i].name + ".") != std::string::npos)
            return { i, all[i].name };
    return { all.size(), counted };
}

std::string inLayer(const std::string& part, std::int64_t layer)
{
    return layer < 0 ? part : part + " of layer " + std::to_string(layer);
}

} // namespace

std::vector<CostlyText> costliestTexts(const std::vector<Batch>& batches, const std::vector<Tensor>& losses,
    const Tokenizer& tokenizer, const BatchSource& source)
{
    if (losses.empty()) return {};
    std::vector<Tensor> here;
    for (const auto& piece : losses) here.push_back(piece.detach().to(torch::kCPU, torch::kFloat));
    const auto all = torch::cat(here).contiguous();
    auto rows = rowsOf(batches, all.data_ptr<float>());
    std::stable_sort(
        rows.begin(), rows.end(), [](const Row& a, const Row& b) { return rank(a.mean()) > rank(b.mean()); });
    std::vector<CostlyText> texts;
    for (std::size_t i = 0; i < std::min(rows.size(), textsShown); ++i)
        texts.push_back(describe(rows[i], tokenizer, source));
    return texts;
}

std::vector<PartGradient> gradientsByPart(
    const LanguageModel& model, const Optimizer& optimizer, const UpdateResult& result)
{
    using Key = std::tuple<std::int64_t, std::size_t, std::string>;
    std::map<Key, std::map<double, std::vector<Tensor>>> groups; // those alike together: a card is asked once for each
    for (const auto& [name, weight] : namedWeights(model)) {
        if (!weight.grad().defined()) continue;
        const auto [place, part] = partOf(name);
        groups[{ layerOf(name), place, part }][optimizer.clippedBy(name, weight, result)].push_back(weight.grad());
    }
    std::vector<PartGradient> all;
    for (const auto& [key, scaled] : groups) {
        double squares = 0;
        for (const auto& [scale, gradients] : scaled) squares += scale * scale * sumOfSquares(gradients);
        all.push_back({ std::get<0>(key), std::get<2>(key), std::sqrt(squares), {} });
    }
    return all;
}

std::string firstNotFinite(LanguageModel& model, const Pass& given, const std::vector<std::int64_t>& ids)
{
    const torch::NoGradGuard guard;
    for (const auto& [name, weight] : namedWeights(model))
        if (!weight.isfinite().all().item<bool>())
            return "the weights of " + inLayer(partOf(name).second, layerOf(name)) + " are not finite themselves";
    std::vector<LayerMix> layers;
    Pass pass;
    pass.matrix = given.matrix;
    pass.record = &layers;
    const auto hidden =
        model.forward(torch::tensor(ids, torch::kLong).unsqueeze(0).to(model.embedding().device()), pass);
    for (std::size_t layer = 0; layer < layers.size(); ++layer)
        for (const auto& branch : layers[layer].branches)
            if (!std::isfinite(branch.outputRms))
                return "of all parts " + inLayer(branch.branch, std::int64_t(layer))
                    + " is the first to write a number that is not finite";
    if (!hidden.isfinite().all().item<bool>()) return "the stream behind the last layer is not finite";
    return "read again without dropout, the worst text gives finite numbers only";
}

} // namespace pha
