// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/system/selftest.h"

#include "engine/base/text.h"
#include "engine/config/parts.h"
#include "engine/model/token_reader.h"
#include "engine/model/weights.h"
#include "engine/torch/device.h"

#include <cmath>

namespace pha {

namespace {

ModelConfig smallModel()
{
    ModelConfig c;
    c.vocabulary = 97;
    c.layers = 2;
    c.width = 32;
    c.queryHeads = 4;
    c.kvHeads = 2;
    c.gssExpand = 64;
    c.gssWidth = 8;
    c.gssState = 16;
    c.gssHidden = 24;
    c.h3State = 8;
    c.auxWidth = 24;
    c.mainWidth = 64;
    return c;
}

/// A small network of a family, with all that its preset says but the sizes.
ModelConfig smallFamily(const std::string& family)
{
    const auto sizes = smallModel();
    auto c = findPreset(family + "-tiny").config.model;
    c.vocabulary = sizes.vocabulary;
    c.layers = 3;
    c.width = sizes.width;
    c.kvHeads = c.kvHeads == c.queryHeads ? sizes.queryHeads : sizes.kvHeads;
    c.queryHeads = sizes.queryHeads;
    c.gssExpand = sizes.gssExpand;
    c.gssWidth = sizes.gssWidth;
    c.gssState = sizes.gssState;
    c.auxWidth = sizes.auxWidth;
    c.mainWidth = sizes.mainWidth;
    c.h3State = sizes.h3State;
    return c;
}

using Variants = std::vector<std::pair<std::string, ModelConfig>>;

/// Every family as its preset has it, every way to mix, every branch, and what else a field can change.
Variants variants()
{
    Variants all;
    const auto add = [&](const std::string& name, ModelConfig config, auto&& change) {
        change(config);
        all.emplace_back(name, config);
    };
    for (const auto& family : families()) add(family.name, smallFamily(family.name), [](auto&) {});
    for (const char* mode :
        { "softmax", "fixed", "channel_softmax", "sigmoid", "channel_sigmoid", "token", "token_sigmoid" })
        add("pha " + std::string(mode), smallModel(), [&](auto& c) { c.mixMode = mode; });
    // By what parts() lists: whoever adds a branch has it checked.
    add("pha with every branch", smallModel(), [](auto& c) {
        c.branches = joinList(branchNames(), ",");
        c.qkMode = "qknorm"; // linear attention has no scores to bound
    });
    add("pha dss", smallModel(), [](auto& c) { c.gssKernel = "dss"; });
    add("pha gated_rec", smallModel(), [](auto& c) { c.gssKind = "gated_rec"; });
    add("pha deepnorm_post", smallModel(), [](auto& c) { c.residualMode = "deepnorm_post"; });
    add("pha without main network", smallModel(), [](auto& c) { c.mainWidth = 0; });
    add("pha with parts pruned", smallModel(), [](auto& c) { c.prunedBranches = "0:attention,1:gss,1:main"; });
    add("sequential deepnorm_post", smallFamily("sequential"), [](auto& c) { c.residualMode = "deepnorm_post"; });
    add("gss-hybrid in chunks of 16", smallFamily("gss-hybrid"), [](auto& c) {
        c.attentionSpan = 16;
        c.positions = "none";
    });
    add("h3 with heads of 4", smallFamily("h3"), [](auto& c) { c.h3HeadWidth = 4; });
    add("hedgehog exp, shared keys", smallFamily("hedgehog"), [](auto& c) {
        c.featureMap = "exp";
        c.kvHeads = 1;
    });
    add("transformer as GPT-2", smallFamily("transformer"), [](auto& c) {
        c.normKind = "layernorm";
        c.biases = true;
        c.positions = "learned";
        c.ffnKind = "gelu_tanh";
    });
    return all;
}

class Checks {
public:
    Checks(torch::Device device, const std::function<void(const CheckRow&)>& onRow)
        : device_(device)
        , onRow_(onRow)
        , ids_(torch::arange(2 * 45, torch::kLong).mul(31).remainder(97).view({ 2, 45 }))
    {
    }
    std::vector<CheckRow> rows;

    void row(const std::string& name, double difference, double tolerance, const std::string& detail = {})
    {
        rows.push_back({ name, difference, tolerance, difference <= tolerance, detail });
        onRow_(rows.back());
    }

    /// Full pass, token by token, and a prompt in uneven pieces must give the same logits.
    void recurrence(const std::string& name, const ModelConfig& config)
    {
        LanguageModel model(config, 7);
        model.to(device_);
        const Pass pass;
        const auto ids = ids_.to(device_);
        const auto whole = model.logits(model.forward(ids, pass), pass);
        const auto pieces = [&](const std::vector<std::int64_t>& lengths) {
            auto state = model.freshState();
            std::vector<Tensor> parts;
            std::int64_t at = 0;
            for (const auto n : lengths) {
                parts.push_back(model.logits(model.forward(ids.narrow(1, at, n), pass, &state), pass));
                at += n;
            }
            return torch::cat(parts, 1);
        };
        const auto distance = [&](const Tensor& other) { return (whole - other).abs().max().item<double>(); };
        row("parallel = recurrent, " + name, distance(pieces(std::vector<std::int64_t>(45, 1))), 1e-4);
        row("parallel = prefill in 7, 13, rest, " + name, distance(pieces({ 7, 13, 25 })), 1e-4);
        row("parallel = tokens as they are written, " + name, distance(written(model, ids)), 1e-4);
        if (device_.is_cpu()) return;
        LanguageModel reference(config, 7);
        const auto onCpu = reference.logits(reference.forward(ids_, pass), pass);
        row("CPU = " + device_.str() + ", " + name, (onCpu - whole.cpu()).abs().max().item<double>(), 1e-3);
    }

    /// The logits of a prompt and of the tokens after it, one by one.
    static Tensor written(LanguageModel& model, const Tensor& ids)
    {
        constexpr std::int64_t prompt = 20;
        const torch::NoGradGuard guard;
        const Pass pass;
        auto state = model.freshState();
        std::vector<Tensor> parts { model.logits(model.forward(ids.narrow(1, 0, prompt), pass, &state), pass) };
        TokenReader reader(model, pass, state);
        for (auto t = prompt; t < ids.size(1); ++t) parts.push_back(reader(ids.narrow(1, t, 1)).clone());
        return torch::cat(parts, 1);
    }

    void causality(const std::string& name, const ModelConfig& config)
    {
        LanguageModel model(config, 7);
        model.to(device_);
        const Pass pass;
        auto changed = ids_.clone();
        changed.select(1, 30).fill_(5);
        const auto before = model.forward(ids_.to(device_), pass).narrow(1, 0, 30),
                   after = model.forward(changed.to(device_), pass).narrow(1, 0, 30);
        row("the future does not reach the past, " + name, (before - after).abs().max().item<double>(), 1e-5);
    }

    /// Chunks, transforms and the plain double sum.
    void convolution(const std::string& kernel)
    {
        auto config = smallModel();
        config.gssKernel = kernel;
        LanguageModel model(config, 3);
        const auto ssm = std::dynamic_pointer_cast<GssBranch>(makeBranch("gss", config));
        for (auto& p : ssm->named_parameters()) {
            for (const auto& [name, weight] : namedWeights(model))
                if (name == "layers.0.gss." + p.key()) p.value().set_data(weight.detach().to(torch::kDouble));
        }
        const auto space = ssm->ssm();
        const auto T = 300;
        const auto u = torch::sin(torch::arange(T * 8, torch::kDouble)).view({ 1, T, 8 });
        const auto K = ssmKernel(space, T); // (h,T)
        auto direct = torch::zeros_like(u);
        for (std::int64_t t = 0; t < T; ++t)
            direct[0][t] = (K.narrow(1, 0, t + 1).flip(1).transpose(0, 1) * u[0].narrow(0, 0, t + 1)).sum(0);
        const double scale = direct.abs().max().item<double>();
        row("FFT = direct sum, " + kernel + ", fp64", (ssmFft(space, u) - direct).abs().max().item<double>() / scale,
            1e-12);
        row("chunks = direct sum, " + kernel + ", fp64",
            (ssmChunked(space, u, nullptr, 64) - direct).abs().max().item<double>() / scale, 1e-12);
    }

    void counts(const std::string& name, const ModelConfig& config)
    {
        std::int64_t stored = 0;
        for (const auto& [key, weight] : namedWeights(LanguageModel(config, std::nullopt))) stored += weight.numel();
        row("parameters = formula, " + name, std::abs(double(stored - modelCosts(config, 45).parameters)), 0);
    }

    void loss()
    {
        LanguageModel model(smallModel(), 7);
        model.to(device_);
        const auto h = torch::randn({ 50, 32 }, torch::dtype(torch::kFloat)).to(device_).requires_grad_();
        const auto targets = ids_.reshape({ -1 }).narrow(0, 0, 50).to(device_);
        const auto sum = crossEntropySum(h, model.embedding(), targets, torch::kFloat);
        const auto own = torch::autograd::grad({ sum }, { h })[0];
        const auto plain = at::cross_entropy_loss(at::linear(h, model.embedding()), targets, {}, at::Reduction::Sum);
        const auto expected = torch::autograd::grad({ plain }, { h })[0];
        row("chunked loss = plain loss", std::abs((sum - plain).item<double>()) / plain.item<double>(), 1e-5);
        row("its gradient", (own - expected).abs().max().item<double>(), 1e-5);
        const Pass pass;
        const double atStart = model.lossSum(ids_.to(device_), ids_.roll(-1, 1).to(device_), pass).item<double>() / 90;
        row("loss at the start is ln V", std::abs(atStart - std::log(97.0)), 0.3);
    }

private:
    torch::Device device_;
    const std::function<void(const CheckRow&)>& onRow_;
    Tensor ids_;
};

} // namespace

std::vector<CheckRow> runSelftest(const torch::Device& device, const std::function<void(const CheckRow&)>& onRow)
{
    useThreads(0);
    const torch::NoGradGuard guard;
    Checks checks(device, onRow);
    for (const auto& [name, config] : variants()) {
        checks.recurrence(name, config);
        checks.causality(name, config);
        checks.counts(name, config);
    }
    checks.convolution("s4d");
    checks.convolution("dss");
    {
        const torch::AutoGradMode on(true);
        checks.loss();
    }
    for (const auto& row : runFusedChecks(device, onRow)) checks.rows.push_back(row);
    for (const auto& row : runCapturedChecks(device, onRow)) checks.rows.push_back(row);
    for (const auto& row : runTeamChecks(device, onRow)) checks.rows.push_back(row);
    for (const auto& row : runDrawChecks(device, onRow)) checks.rows.push_back(row);
    return checks.rows;
}

} // namespace pha
