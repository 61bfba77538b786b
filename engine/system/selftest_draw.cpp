// SPDX-License-Identifier: GPL-3.0-or-later
// What a card draws, against what a processor draws.
#include "engine/system/selftest.h"

#if PHA_HAS_KERNELS

#include "engine/data/byte_tokenizer.h"
#include "engine/eval/loaded_model.h"
#include "engine/eval/sampler.h"
#include "engine/model/fused_detail.h"

#include <cmath>
#include <cstring>

namespace pha {

namespace {

using Logits = std::vector<float>;

Sampling settings(double temperature, std::int64_t topK, double topP)
{
    Sampling s;
    s.temperature = temperature, s.topK = topK, s.topP = topP;
    return s;
}

/// Draws from one row.
class CardDraw {
public:
    CardDraw(Logits logits, const torch::Device& device)
        : row_(torch::tensor(logits).to(device))
        , copy_(torch::zeros_like(row_))
        , id_(torch::zeros({ 1 }, row_.options().dtype(torch::kLong)))
        , drawn_(torch::zeros({ 2 }, row_.options().dtype(torch::kLong)))
        , room_(torch::zeros({ kernels::drawRoom }, row_.options().dtype(torch::kByte)))
    {
    }
    /// Its id is -2 if the card did not leave everything where it belongs.
    kernels::DrawnToken operator()(const Sampling& s, double x)
    {
        kernels::Draw p;
        p.vocabulary = int(row_.numel());
        p.logits = floats(row_), p.copy = floats(copy_);
        p.scale = s.temperature == 0 ? 0 : scaleOf(s.temperature);
        p.most = s.topK, p.share = s.topP, p.x = x;
        p.id = id_.data_ptr<std::int64_t>();
        p.drawn = static_cast<kernels::DrawnToken*>(raw(drawn_));
        p.room = raw(room_);
        kernels::draw(p, stream());
        const auto words = drawn_.cpu();
        kernels::DrawnToken token;
        std::memcpy(static_cast<void*>(&token), words.data_ptr(), sizeof token);
        const bool copied = copy_.view(torch::kInt).equal(row_.view(torch::kInt)); // bits: a NaN equals none
        if (!copied || id_.item<std::int64_t>() != std::max<std::int64_t>(0, token.id)) token.id = -2;
        return token;
    }

private:
    Tensor row_, copy_, id_, drawn_, room_;
};

/// What a processor keeps of a row, and how far what a card draws is from it.
class Expected {
public:
    Expected(const Logits& logits, const Sampling& s)
        : greedy_(s.temperature == 0)
        , share_(logits.size())
    {
        distribution_.read(logits, greedy_ ? 1 : s.temperature);
        auto kept = distribution_.head(std::size_t(s.topK), s.topP);
        if (s.topK == 0 && s.topP >= 1) {
            kept.clear();
            for (std::size_t i = 0; i < logits.size(); ++i) kept.push_back(std::int32_t(i));
        }
        const double whole = distribution_.share(kept);
        for (const auto id : kept) share_[std::size_t(id)] = distribution_.probability(id) / whole;
    }
    /// 0 if the running sum up to the token passes x; else what is missing. Also the error of its probability.
    double error(const kernels::DrawnToken& token, double x) const
    {
        if (token.id < 0 || std::size_t(token.id) >= share_.size()) return 1;
        if (greedy_) return token.id == distribution_.largest(1).front() && token.probability == 1 ? 0 : 1;
        double below = 0;
        for (std::size_t i = 0; i < std::size_t(token.id); ++i) below += share_[i];
        const double own = share_[std::size_t(token.id)];
        return std::max({ below - x, x - below - own, std::abs(token.probability - own) });
    }

private:
    const bool greedy_;
    TokenDistribution distribution_;
    std::vector<double> share_;
};

/// Three rows: as they come, with many equal ones, and with holes.
std::vector<Logits> testRows(std::size_t vocabulary)
{
    Uniform uniform(vocabulary);
    std::vector<Logits> rows(3, Logits(vocabulary));
    for (std::size_t i = 0; i < vocabulary; ++i) {
        const double z = 6 * (uniform() + uniform() + uniform() + uniform()) - 10;
        rows[0][i] = float(z);
        rows[1][i] = float(std::round(4 * z) / 4);
        rows[2][i] = i % 5 == 1 ? NAN : i % 7 == 3 ? -INFINITY : float(z);
    }
    return rows;
}

CheckRow drawing(std::size_t vocabulary, const torch::Device& device)
{
    CheckRow row { "a card draws as a processor, " + std::to_string(vocabulary) + " tokens", 0, 1e-5, false, {} };
    std::vector<Sampling> ways { settings(0, 0, 1) };
    for (const double temperature : { 0.1, 1.0, 7.0 })
        for (const std::int64_t topK : { 0, 1, 40 })
            for (const double topP : { 1.0, 0.1, 0.95 }) ways.push_back(settings(temperature, topK, topP));
    for (const auto& logits : testRows(vocabulary)) {
        CardDraw draw(logits, device);
        for (const auto& s : ways) {
            const Expected expected(logits, s);
            for (const double x : { 0.0, 0.31, 0.77, std::nextafter(1.0, 0.0) })
                row.difference = std::max(row.difference, expected.error(draw(s, x), x));
        }
    }
    row.passed = row.difference <= row.tolerance;
    return row;
}

CheckRow refusal(const torch::Device& device)
{
    CheckRow row { "a card draws nothing from a broken row", 0, 0, false, {} };
    for (const Logits& logits :
        { Logits { NAN }, Logits { -INFINITY, NAN, -INFINITY }, Logits { 1, INFINITY, 2 }, Logits(3000, NAN) })
        for (const auto& s : { settings(0, 0, 1), settings(1, 0, 1), settings(1, 40, 0.9) })
            if (CardDraw(logits, device)(s, 0.5).id != -1) ++row.difference;
    row.passed = row.difference <= row.tolerance;
    return row;
}

/// How many tokens of a text differ between a card that draws them ahead and a processor that waits for each.
CheckRow writing(const std::string& name, LanguageModel& model, Sampling sampling)
{
    std::vector<std::int64_t> prompt;
    for (std::int64_t i = 0; i < 40; ++i) prompt.push_back(i * 31 % 256);
    Pass pass;
    pass.matrix = torch::kBFloat16;
    const auto tokenizer = byteTokenizer();
    const auto write = [&](double penalty) {
        GenerateOptions options;
        options.sampling = sampling;
        options.sampling.repetitionPenalty = penalty;
        return generateText(model, *tokenizer, pass, prompt, options, [](const GeneratedToken&) {}, {});
    };
    // A penalty is what a card leaves to the processor; this one is too small to change a logit.
    const auto card = write(1), processor = write(1 + 1e-15);
    CheckRow row { "text drawn ahead = text drawn token by token, " + name, 0, 0, false, {} };
    for (std::size_t i = 0; i < processor.tokens.size(); ++i)
        if (card.tokens.at(i).id != processor.tokens[i].id) ++row.difference;
    if (card.stateBytes != processor.stateBytes) row.difference += 1, row.detail = "the state's size differs";
    row.passed = row.difference <= row.tolerance;
    return row;
}

} // namespace

std::vector<CheckRow> runDrawChecks(const torch::Device& device, const std::function<void(const CheckRow&)>& onRow)
{
    std::vector<CheckRow> rows;
    if (!device.is_cuda() || !kernels::drawFits(1)) return rows;
    const auto add = [&](const CheckRow& row) {
        rows.push_back(row);
        onRow(row);
    };
    for (const std::size_t vocabulary : { 1, 7, 1000, 50257, 151936 }) add(drawing(vocabulary, device));
    add(refusal(device));
    auto config = findPreset("pha-tiny").config.model;
    config.vocabulary = 256;
    LanguageModel model(config, 7);
    model.to(device);
    auto greedy = settings(0, 0, 1), few = settings(0.8, 4, 1);
    greedy.maxTokens = 1100; // the caches grow on the way
    few.maxTokens = 100;
    add(writing("greedy", model, greedy));
    add(writing("of four each", model, few)); // few places where rounding may decide
    return rows;
}

} // namespace pha

#else

namespace pha {
std::vector<CheckRow> runDrawChecks(const torch::Device&, const std::function<void(const CheckRow&)>&) { return {}; }
} // namespace pha

#endif
