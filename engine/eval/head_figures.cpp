// SPDX-License-Identifier: GPL-3.0-or-later
// What the heads of a network do, told from their maps; how long its state spaces remember; and the test of both.
#include "engine/eval/head_figures.h"

#include "engine/base/stop.h"
#include "engine/data/random.h"
#include "engine/eval/loaded_model.h"

#include <algorithm>
#include <cmath>

namespace pha {

namespace {

enum Place { Previous, Self, First, Same, Induction }; // the order of headKinds

constexpr std::int64_t sequencesRead = 8, longestCopy = 64, shortestCopy = 2;
constexpr std::size_t fewestPieces = 32;

/// Pieces that stand for themselves in a text: neither marks of the tokenizer, nor single bytes that spell what has no
/// piece, nor the blank of a task.
std::vector<std::int64_t> ordinaryPieces(const Tokenizer& tokenizer)
{
    using Kind = Tokenizer::Kind;
    const bool spells = tokenizer.kind() == Kind::SentencePiece || tokenizer.kind() == Kind::Gpt2;
    std::vector<std::int64_t> all, ordinary;
    for (std::int64_t id = tokenizer.kind() == Kind::Symbols ? 1 : 0; id < tokenizer.size(); ++id) {
        all.push_back(id);
        if (!spells) continue;
        const auto piece = tokenizer.piece(std::int32_t(id));
        if (piece.size() > 1 && piece != "\uFFFD" && validUtf8(piece)) ordinary.push_back(id);
    }
    return ordinary.size() < fewestPieces ? all : ordinary;
}

double lossOf(const Tensor& logits, const Tensor& ids, std::int64_t first, std::int64_t count)
{
    const auto said = torch::log_softmax(logits.narrow(0, first - 1, count).to(torch::kDouble), -1);
    return -said.gather(1, ids.narrow(0, first, count).unsqueeze(1)).mean().item<double>();
}

} // namespace

HeadShares headShares(std::span<const float> weights, const std::vector<std::int64_t>& ids, std::int64_t span)
{
    const auto T = std::int64_t(ids.size());
    HeadShares sums;
    for (std::int64_t t = 1; t < T; ++t) {
        const auto from = span > 0 ? t / span * span : 0;
        if (from == t) continue;
        const auto* row = weights.data() + t * T;
        std::array<double, headKinds.size()> share {}, places {};
        const auto read = [&](Place kind, std::int64_t s) { share[kind] += double(row[s]), ++places[kind]; };
        read(Previous, t - 1);
        read(Self, t);
        read(First, from);
        const auto same = [&](std::int64_t s) { return ids[std::size_t(s)] == ids[std::size_t(t)]; };
        for (auto s = from; s < t; ++s) {
            if (same(s)) read(Same, s);
            if (s > 0 && same(s - 1)) read(Induction, s);
        }
        for (std::size_t kind = 0; kind < sums.size(); ++kind) {
            if (places[kind] == 0) continue;
            sums[kind].share += share[kind];
            sums[kind].uniform += places[kind] / double(t - from + 1);
            ++sums[kind].queries;
        }
    }
    for (auto& sum : sums) {
        sum.share /= double(std::max<std::int64_t>(1, sum.queries));
        sum.uniform /= double(std::max<std::int64_t>(1, sum.queries));
    }
    return sums;
}

HeadShares merged(const HeadShares& a, const HeadShares& b)
{
    HeadShares all;
    for (std::size_t kind = 0; kind < all.size(); ++kind) {
        all[kind].queries = a[kind].queries + b[kind].queries;
        const double n = double(std::max<std::int64_t>(1, all[kind].queries)), ofA = double(a[kind].queries) / n,
                     ofB = double(b[kind].queries) / n;
        all[kind].share = ofA * a[kind].share + ofB * b[kind].share;
        all[kind].uniform = ofA * a[kind].uniform + ofB * b[kind].uniform;
    }
    return all;
}

int headName(const HeadShares& kinds)
{
    // Named after what it reads most, if that is a good part of all, cannot come from reading everything alike, and was
    // seen more than a few times: a name says what a head does whatever the text.
    const auto most =
        std::max_element(kinds.begin(), kinds.end(), [](const auto& a, const auto& b) { return a.share < b.share; });
    const bool clear = most->share >= 0.3 && most->share >= 3 * most->uniform && most->queries >= 8;
    return clear ? int(most - kinds.begin()) : -1;
}

std::vector<HeadFigures> readHeads(const Watch& watch, const std::vector<std::int64_t>& ids)
{
    std::vector<HeadFigures> heads;
    for (const auto& map : watch.maps()) {
        const auto shares = map.shares.to(torch::kCPU, torch::kFloat).contiguous();
        const auto size = ids.size() * ids.size();
        for (std::int64_t head = 0; head < shares.size(0); ++head) {
            const std::span weights(shares.data_ptr<float>() + std::size_t(head) * size, size);
            HeadFigures figures { map.layer, map.part, head, headShares(weights, ids, map.span) };
            figures.name = headName(figures.kinds);
            heads.push_back(std::move(figures));
        }
    }
    return heads;
}

std::vector<StateMemory> readMemory(const Watch& watch, std::int64_t context)
{
    std::vector<StateMemory> all;
    for (const auto& map : watch.maps()) {
        if (!map.halfLives.defined()) continue;
        const auto sorted = std::get<0>(map.halfLives.to(torch::kCPU).flatten().sort());
        const auto n = sorted.size(0);
        StateMemory memory { map.layer, map.part, n };
        constexpr std::array levels { 0.05, 0.25, 0.5, 0.75, 0.95 };
        for (std::size_t i = 0; i < levels.size(); ++i) {
            const double at = levels[i] * double(n - 1), below = std::floor(at);
            const auto value = [&](double place) { return sorted[std::int64_t(place)].item<double>(); };
            memory.quantiles[i] = std::lerp(value(below), value(std::ceil(at)), at - below);
        }
        memory.longest = sorted[n - 1].item<double>();
        memory.outlive = (sorted > double(context)).to(torch::kDouble).mean().item<double>();
        all.push_back(std::move(memory));
    }
    return all;
}

std::vector<std::vector<std::int64_t>> repeatedTokens(
    const Tokenizer& tokenizer, std::int64_t count, std::int64_t length)
{
    auto pieces = ordinaryPieces(tokenizer);
    Random random(20220924);
    std::vector<std::vector<std::int64_t>> all;
    for (std::int64_t n = 0; n < count; ++n) {
        for (auto i = pieces.size() - 1; i > 0; --i) std::swap(pieces[i], pieces[random.below(i + 1)]);
        auto& sequence = all.emplace_back();
        for (std::int64_t i = 0; i < 2 * length; ++i)
            sequence.push_back(pieces[std::size_t(i % length) % pieces.size()]);
    }
    return all;
}

HeadTest testHeads(LanguageModel& model, const Tokenizer& tokenizer, std::int64_t context, Pass pass,
    bool attentionAlone, const std::stop_token& stop)
{
    const torch::NoGradGuard guard;
    const auto& m = model.config();
    HeadTest test;
    test.context = context;
    if (m.positions == "learned" && m.maxPositions < 2 * shortestCopy) {
        test.note = "no heads were tested: " + std::to_string(2 * shortestCopy)
            + " positions are the fewest for tokens that come twice, and this model has learned "
            + std::to_string(m.maxPositions);
        return test;
    }
    test.sequences = sequencesRead;
    // Both copies where the network has been trained and attention can see the first from the second.
    auto room = std::min(2 * longestCopy, test.context);
    if (m.positions == "learned") room = std::min(room, m.maxPositions);
    if (m.attentionSpan > 0) room = std::min(room, m.attentionSpan);
    test.length = std::max(shortestCopy, room / 2);
    for (const auto& tokens : repeatedTokens(tokenizer, test.sequences, test.length)) {
        throwIfStopped(stop, "the test of the heads");
        Watch watch;
        watch.attentionAlone = attentionAlone;
        pass.watch = &watch;
        const auto ids = torch::tensor(tokens, torch::kLong).to(model.embedding().device());
        const auto logits = model.logits(model.forward(ids.unsqueeze(0), pass), pass).squeeze(0);
        // The first token of a copy cannot be known in either.
        const auto L = test.length;
        test.firstNll += lossOf(logits, ids, 1, L - 1) / double(test.sequences);
        test.secondNll += lossOf(logits, ids, L + 1, L - 1) / double(test.sequences);
        const auto heads = readHeads(watch, tokens);
        if (test.memory.empty()) test.memory = readMemory(watch, test.context);
        test.heads.resize(heads.size());
        for (std::size_t i = 0; i < heads.size(); ++i) {
            const auto before = test.heads[i].kinds;
            test.heads[i] = heads[i];
            test.heads[i].kinds = merged(before, heads[i].kinds);
            test.heads[i].name = headName(test.heads[i].kinds);
        }
    }
    return test;
}

HeadTest NetworkModel::testHeads(std::stop_token stop)
{
    beginJob();
    auto test = pha::testHeads(*model_, *tokenizer_, config_.training.context, pass_, false, stop);
    test.step = step_;
    return test;
}

HeadsEvent headsEvent(const HeadTest& test)
{
    HeadsEvent event { test.step, test.firstNll, test.secondNll };
    for (const auto& head : test.heads) {
        if (!head.attends()) continue;
        event.strongest.resize(headKinds.size());
        for (std::size_t kind = 0; kind < headKinds.size(); ++kind) {
            auto& strongest = event.strongest[kind];
            if (head.name == int(kind)) ++strongest.named;
            if (head.kinds[kind].share <= strongest.share) continue;
            strongest = { head.kinds[kind].share, head.layer, head.part, head.head, strongest.named };
        }
    }
    return event;
}

} // namespace pha
