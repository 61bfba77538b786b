// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/weights.h"
#include "engine/system/selftest.h"
#include "engine/torch/device.h"
#include "engine/train/autopsy.h"
#include "engine/train/captured_update.h"

#include <cmath>

namespace pha {

namespace {

struct Trained {
    std::vector<double> losses;
    double apart = 0; ///< how far what an autopsy reads, token losses and gradients, was from what the update reported
    NamedTensors weights; ///< fp64, of the host
    bool replayed = false;
};

/// So many updates at a rate that changes, the fifth of them not allowed; an evaluation and longer texts in between.
Trained trainSome(const RunConfig& config, const torch::Device& device, torch::Dtype matrix, bool captured)
{
    const torch::AutoGradMode on(true);
    LanguageModel model(config.model, 7);
    model.to(device);
    Optimizer optimizer(model, config.training);
    CapturedUpdate update(model);
    auto generator = at::globalContext().defaultGenerator(device);
    generator.set_current_seed(3);
    Pass pass;
    pass.matrix = matrix;
    pass.training = true;
    pass.dropout = pass.embeddingDropout = config.training.dropout;
    pass.generator = generator;
    std::vector<Tensor> tokenLosses;
    pass.tokenLosses = &tokenLosses;
    constexpr std::int64_t updates = 8, length = 96;
    Trained result;
    for (std::int64_t i = 0; i < updates; ++i) {
        std::vector<Tensor> inputs;
        for (std::int64_t part = 0; part < 2; ++part) {
            const auto text = torch::arange(2 * (length + 1), torch::kLong)
                                  .mul(31 + 2 * i + part)
                                  .remainder(config.model.vocabulary)
                                  .view({ 2, -1 });
            inputs.push_back(text.narrow(1, 0, length).contiguous());
            inputs.push_back(text.narrow(1, 1, length).contiguous());
        }
        inputs.push_back(optimizer.numbers({ 4.0 * length, i == 4 ? 0.0 : 1.0, 1e-3 / double(i + 1), 0.1 }));
        const auto work = [&](const std::vector<Tensor>& in) { return plainUpdate(model, optimizer, pass, in); };
        const auto done = optimizer.read(captured ? update(inputs, work) : update.once(inputs, work));
        result.losses.push_back(done.loss);
        result.replayed = update.replays();
        const torch::NoGradGuard guard;
        const double mean = torch::cat(tokenLosses).sum(torch::kDouble).item<double>() / (4.0 * length);
        if (std::isfinite(done.loss)) result.apart = std::max(result.apart, std::abs(mean / done.loss - 1));
        double squares = 0;
        for (const auto& part : gradientsByPart(model, optimizer, done)) squares += part.norm * part.norm;
        result.apart = std::max(result.apart, std::abs(std::sqrt(squares) / done.norm - 1));
        Pass evaluation;
        evaluation.matrix = matrix;
        const auto longer = torch::zeros({ 1, i == 5 ? 1100 : 64 }, torch::kLong).to(device);
        result.losses.push_back(model.lossSum(longer, longer, evaluation).item<double>());
    }
    for (const auto& [name, weight] : namedWeights(model))
        result.weights.emplace_back(name, weight.detach().to(torch::kCPU, torch::kDouble));
    return result;
}

CheckRow compareUpdates(const std::string& name, const RunConfig& config, const torch::Device& device)
{
    CheckRow row { "captured = plain updates, " + name, 0, 1e-3, false, {} };
    const auto plain = trainSome(config, device, torch::kBFloat16, false);
    const auto captured = trainSome(config, device, torch::kBFloat16, true);
    const auto judge = [&](const std::string& what, double difference) {
        if (difference <= row.difference) return; // false for NaN
        row.difference = difference;
        row.detail = what;
    };
    judge("what an autopsy reads", std::max(plain.apart, captured.apart));
    for (std::size_t i = 0; i < plain.losses.size(); ++i)
        if (!std::isnan(plain.losses[i]) || !std::isnan(captured.losses[i])) // not allowed: in both
            judge("loss " + std::to_string(i), std::abs(captured.losses[i] / plain.losses[i] - 1));
    for (std::size_t i = 0; i < plain.weights.size(); ++i) {
        const auto& exact = plain.weights[i].second;
        const double whole = exact.norm().item<double>();
        if (whole > 0)
            judge(plain.weights[i].first, (captured.weights[i].second - exact).norm().item<double>() / whole);
    }
    row.passed = row.difference <= row.tolerance && captured.replayed;
    if (!captured.replayed) row.detail = "not captured";
    return row;
}

} // namespace

std::vector<CheckRow> runCapturedChecks(const torch::Device& device, const std::function<void(const CheckRow&)>& onRow)
{
    std::vector<CheckRow> rows;
    if (!device.is_cuda()) return rows;
    using Settings = std::vector<std::pair<std::string, std::string>>;
    const auto check = [&](const std::string& preset, const std::string& what = {}, const Settings& settings = {}) {
        auto config = findPreset(preset).config;
        for (const auto& [field, value] : settings) config.set(field, value);
        rows.push_back(compareUpdates(preset + what, config, device));
        onRow(rows.back());
    };
    for (const auto* family :
        { "pha", "pha-lean", "sequential", "transformer", "attention", "gss", "gss-hybrid", "h3", "hedgehog" })
        check(family + std::string("-tiny"));
    check("pha-tiny", ", dropout", { { "dropout", "0.1" }, { "optimizer", "adamw" }, { "clip", "0.5" } });
    check("gss-tiny", ", dss", { { "gss_kernel", "dss" } });
    check("pha-tiny", ", a weight a token", { { "mix_mode", "token" } });
    return rows;
}

} // namespace pha
