// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/fused_ops.h"
#include "engine/model/token_reader.h"
#include "engine/model/weights.h"
#include "engine/system/selftest.h"

#include <algorithm>
#include <cmath>

namespace pha {

namespace {

/// Wide enough for every vector width of the kernels, long enough for several spans of the scan.
ModelConfig wideModel()
{
    ModelConfig c;
    c.vocabulary = 1009;
    c.layers = 2;
    c.width = 256;
    c.queryHeads = 4;
    c.kvHeads = 2;
    c.gssExpand = 320;
    c.gssWidth = 48;
    c.gssState = 64;
    c.auxWidth = 104;
    c.mainWidth = 192;
    return c;
}

struct Outcome {
    Tensor logits;
    std::vector<std::pair<std::string, Tensor>> gradients;
};

/// What a check varies besides the model.
struct Way {
    bool recompute = false;
    std::int64_t context = 300; ///< tokens of each of two texts
};

Outcome train(const ModelConfig& config, const torch::Device& device, torch::Dtype matrix, bool fused, const Way& way)
{
    useFusedKernels(fused);
    LanguageModel model(config, 7);
    model.to(device);
    const auto ids = torch::arange(2 * way.context, torch::kLong)
                         .mul(31)
                         .remainder(config.vocabulary)
                         .view({ 2, way.context })
                         .to(device);
    Pass pass;
    pass.matrix = matrix;
    pass.recompute = fused && way.recompute;
    const torch::AutoGradMode on(true);
    (model.lossSum(ids, ids.roll(-1, 1), pass) / double(ids.numel())).backward();
    Outcome outcome;
    for (const auto& [name, weight] : namedWeights(model))
        if (weight.grad().defined()) outcome.gradients.emplace_back(name, weight.grad().to(torch::kDouble));
    const torch::NoGradGuard off;
    outcome.logits = model.logits(model.forward(ids, pass), pass).to(torch::kDouble);
    useFusedKernels(true);
    return outcome;
}

double distance(const Tensor& a, const Tensor& exact)
{
    return ((a - exact).norm() / exact.norm().clamp_min(1e-30)).item<double>();
}

/// The worst error of the fused bf16 pass in units of what rounding to bf16 costs the plain pass.
CheckRow compare(const std::string& name, const ModelConfig& config, const torch::Device& device, const Way& way)
{
    constexpr double least = 1e-2; // where the plain pass happens to round well
    const auto exact = train(config, device, torch::kFloat, false, way);
    const auto plain = train(config, device, torch::kBFloat16, false, way);
    const auto fused = train(config, device, torch::kBFloat16, true, way);
    CheckRow row { "fused = plain, " + name, 0, 3, false, {} }; // two samples of the same noise
    const auto judge = [&](const std::string& what, const Tensor& f, const Tensor& p, const Tensor& e) {
        const double ratio = distance(f, e) / std::max(least, distance(p, e));
        if (ratio > row.difference || !std::isfinite(ratio)) {
            row.difference = ratio;
            row.detail = what;
        }
    };
    judge("logits", fused.logits, plain.logits, exact.logits);
    for (std::size_t i = 0; i < exact.gradients.size(); ++i)
        judge("gradient of " + exact.gradients[i].first, fused.gradients.at(i).second, plain.gradients.at(i).second,
            exact.gradients[i].second);
    row.passed = row.difference <= row.tolerance;
    return row;
}

/// How single tokens are read: how many texts, and what changes between the tokens.
struct Reading {
    std::int64_t batch = 2;
    bool changes = false; ///< of weights, and of the user's own weights of branches
};

/// Logits of 64 single tokens, by TokenReader or, `plainly`, by forward(), after a prompt in two pieces, of which the
/// second begins in the middle of a text and is long enough for several segments of the state space.
Tensor readTokens(
    const ModelConfig& config, const torch::Device& device, torch::Dtype matrix, const Reading& how, bool plainly)
{
    constexpr std::int64_t piece = 260, prompt = piece + 800, tokens = 64;
    const torch::NoGradGuard guard;
    LanguageModel model(config, 7);
    model.to(device);
    const auto ids = torch::arange(how.batch * (prompt + tokens), torch::kLong)
                         .mul(31)
                         .remainder(config.vocabulary)
                         .view({ how.batch, -1 })
                         .to(device);
    std::vector<MixOverride> mix;
    Pass pass;
    pass.matrix = matrix;
    if (how.changes) pass.mix = &mix;
    auto state = model.freshState();
    model.forward(ids.narrow(1, 0, piece), pass, &state);
    model.forward(ids.narrow(1, piece, prompt - piece), pass, &state);
    TokenReader reader(model, pass, state);
    std::vector<Tensor> rows;
    for (std::int64_t t = 0; t < tokens; ++t) {
        if (how.changes && t == 20) mix.push_back({ -1, "gss", 0 });
        if (how.changes && t == 40)
            for (auto& [name, weight] : namedWeights(model))
                if (name.find("mixing.logits") != std::string::npos || name.find("value") != std::string::npos)
                    weight *= 1.5;
        const auto token = ids.narrow(1, prompt + t, 1);
        rows.push_back(plainly ? model.logits(model.forward(token, pass, &state), pass) : reader(token).clone());
    }
    return torch::cat(rows, 1).to(torch::kDouble);
}

CheckRow single(const std::string& name, const ModelConfig& config, const torch::Device& device, const Reading& how)
{
    const auto exact = readTokens(config, device, torch::kFloat, how, true);
    const auto plain = readTokens(config, device, torch::kBFloat16, how, true);
    const auto steps = readTokens(config, device, torch::kBFloat16, how, false);
    CheckRow row { "single tokens = forward, " + name + ", batch " + std::to_string(how.batch),
        distance(steps, exact) / std::max(1e-2, distance(plain, exact)), 1.5, false, {} };
    row.passed = row.difference <= row.tolerance;
    return row;
}

} // namespace

std::vector<CheckRow> runFusedChecks(const torch::Device& device, const std::function<void(const CheckRow&)>& onRow)
{
    std::vector<CheckRow> rows;
    if (!device.is_cuda() || !hasFusedKernels()) return rows;
    const auto check = [&](const std::string& name, auto&& change, const Way& way = {}) {
        auto config = wideModel();
        change(config);
        rows.push_back(compare(name, config, device, way));
        onRow(rows.back());
    };
    check("pha", [](auto&) {});
    check("pha, layers recomputed", [](auto&) {}, { true });
    // More spans than one block works on, the last of them short: the state space is cut into segments and joined.
    check("pha, long texts", [](auto&) {}, { false, 1100 });
    check("pha, long texts, 80 states", [](auto& c) { c.gssState = 80; }, { false, 1100 });
    const auto read = [&](const std::string& name, auto&& change, std::vector<Reading> ways) {
        auto config = wideModel();
        change(config);
        for (const auto& how : ways) {
            rows.push_back(single(name, config, device, how));
            onRow(rows.back());
        }
    };
    read("pha", [](auto&) {}, { { 1 }, { 2 }, { 12 }, { 32 }, { 33 } });
    read("pha, weights and mutes change", [](auto&) {}, { { 1, true }, { 3, true } });
    read("pha-lean dss",
        [](auto& c) {
            c.family = "pha-lean";
            c.branches = "gss,attention";
            c.gssKernel = "dss";
        },
        { { 1 }, { 2 } });
    read("pha token", [](auto& c) { c.mixMode = "token"; }, { { 2 } });
    read("attention", [](auto& c) { c.family = "attention"; }, { { 1 }, { 20 } });
    read("transformer",
        [](auto& c) {
            c.family = "transformer";
            c.qkMode = "dot";
            c.ffnKind = "gelu";
            c.kvHeads = 4;
        },
        { { 1 }, { 2 } });
    const auto inChunks = [](auto& c, std::int64_t span) { c.family = "gss-hybrid", c.attentionSpan = span; };
    read("gss-hybrid, chunks of 40", [&](auto& c) { inChunks(c, 40); }, { { 1 }, { 3 } }); // the prompt ends in one
    read("gss-hybrid, chunks of 1000", [&](auto& c) { inChunks(c, 1000); }, { { 1 } }); // shared by multiprocessors
    // No kernel has a whole step of these: their launches are captured.
    read("hedgehog",
        [](auto& c) {
            c.family = "hedgehog";
            c.qkMode = "dot";
            c.ffnKind = "gelu";
        },
        { { 1 }, { 3 }, { 2, true } });
    const auto withBiases = [](auto& c) {
        c.normKind = "layernorm";
        c.biases = true;
    };
    read("h3",
        [&](auto& c) {
            c.family = "h3";
            c.qkMode = "dot";
            c.ffnKind = "gelu_tanh";
            c.positions = "none";
            c.kvHeads = c.queryHeads;
            withBiases(c);
        },
        { { 1 }, { 3 } });
    read("pha with biases", withBiases, { { 1 }, { 2, true } });
    read("gss-hybrid with biases, chunks of 20", // the prompt ends with one
        [&](auto& c) {
            inChunks(c, 20);
            withBiases(c);
        },
        { { 2 } });
    read("pha gated_rec", [](auto& c) { c.gssKind = "gated_rec"; }, { { 2 } });
    read("pha deepnorm_post", [](auto& c) { c.residualMode = "deepnorm_post"; }, { { 2 } });
    check("pha token", [](auto& c) { c.mixMode = "token"; });
    check("pha sigmoid, scaled residual", [](auto& c) {
        c.mixMode = "sigmoid";
        c.residualMode = "prenorm_scaled";
    });
    check("pha dss", [](auto& c) { c.gssKernel = "dss"; });
    check("pha dss, long texts", [](auto& c) { c.gssKernel = "dss"; }, { false, 1100 });
    check("pha with odd widths", [](auto& c) {
        c.width = 228; // heads of 76, as the paper's
        c.queryHeads = 3;
        c.kvHeads = 1;
        c.auxWidth = 99;
        c.gssExpand = 300;
        c.gssWidth = 36;
    });
    check("pha-lean qknorm", [](auto& c) {
        c.family = "pha-lean";
        c.branches = "gss,attention";
        c.qkMode = "qknorm";
        c.gssState = 96;
    });
    check("transformer", [](auto& c) {
        c.family = "transformer";
        c.qkMode = "dot";
        c.ffnKind = "gelu";
        c.kvHeads = 4;
    });
    return rows;
}

} // namespace pha
