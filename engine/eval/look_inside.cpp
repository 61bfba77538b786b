// SPDX-License-Identifier: GPL-3.0-or-later
// Where every part of a network looks while it reads a text, what it adds to the logit of each token, and what the
// network would say after each layer.
#include "engine/eval/activation_figures.h"
#include "engine/eval/head_figures.h"
#include "engine/eval/layer_lens.h"
#include "engine/eval/loaded_model.h"
#include "engine/eval/token_distribution.h"
#include "engine/eval/token_writer.h"
#include "engine/model/watch.h"

#include "engine/base/stop.h"

namespace pha {

namespace {

std::vector<float> floatsOf(const Tensor& x)
{
    const auto row = x.to(torch::kCPU, torch::kFloat).contiguous();
    return { row.data_ptr<float>(), row.data_ptr<float>() + row.numel() };
}

/// Shares by distance, distances in powers of two.
ReadingReach reachOf(const Watch::Map& map)
{
    const auto shares = map.shares.to(torch::kCPU, torch::kDouble).mean(0); // (T,T)
    const auto T = shares.size(0);
    ReadingReach reach { map.layer, map.part, {}, 0 };
    for (std::int64_t from = 0, to = 1; from < T; from = to, to = from * 2) {
        double share = 0;
        for (auto distance = from; distance < std::min(to, T); ++distance) {
            const double here = shares.diagonal(-distance).sum().item<double>() / double(T);
            share += here;
            reach.meanDistance += here * double(distance);
        }
        reach.shares.push_back(share);
    }
    return reach;
}

/// What is left of every write in the last norm's output at t - 1, times the row of the head that token t has, less the
/// mean of all rows.
std::vector<LogitPush> pushesOf(const Watch& watch, const Tensor& embedding, const Tensor& ids)
{
    const auto T = ids.size(0);
    std::vector<LogitPush> all;
    for (const auto& write : watch.writes()) {
        const auto head = embedding.to(write.x.scalar_type());
        const auto rows = head.index_select(0, ids.narrow(0, 1, T - 1)) - head.mean(0);
        const auto nats = (write.x.narrow(0, 0, T - 1) * rows).sum(-1);
        all.push_back({ write.layer, write.part, floatsOf(torch::constant_pad_nd(nats, { 1, 0 })) });
    }
    return all;
}

} // namespace

InsideView readInside(LanguageModel& model, const Tokenizer& tokenizer, const Pass& given,
    const std::vector<std::int64_t>& tokens, std::int64_t context, const std::stop_token& stop)
{
    const torch::NoGradGuard guard;
    Watch watch;
    watch.keepsValues = true;
    auto pass = given;
    pass.watch = &watch;
    const auto ids = torch::tensor(tokens, torch::kLong).to(model.embedding().device());
    const auto logits = model.logits(model.forward(ids.unsqueeze(0), pass), pass)
                            .squeeze(0)
                            .to(torch::kCPU, torch::kFloat)
                            .contiguous();
    throwIfStopped(stop, "the look inside");
    InsideView view;
    TextDecoder decoder;
    TokenDistribution said;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
        GeneratedToken token;
        token.id = tokens[t];
        token.prompt = true;
        token.text = decoder.push(tokenizer.piece(std::int32_t(token.id)));
        if (t + 1 == tokens.size()) token.text += decoder.flush();
        if (t > 0) describeToken(token, numbers(logits[std::int64_t(t) - 1]), said, tokenizer);
        view.tokens.push_back(std::move(token));
    }
    for (const auto& map : watch.maps()) {
        throwIfStopped(stop, "the look inside");
        view.maps.push_back({ map.layer, map.part, map.shares.size(0), map.shares.size(1), floatsOf(map.shares) });
        view.reach.push_back(reachOf(map));
    }
    view.heads = readHeads(watch, tokens);
    view.memory = readMemory(watch, context);
    view.pushes = pushesOf(watch, model.embedding(), ids);
    throwIfStopped(stop, "the look inside");
    view.activations = readActivations(watch);
    view.lens = readLens(model, tokenizer, watch, ids, pass, stop);
    return view;
}

} // namespace pha
