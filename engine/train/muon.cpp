// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/muon.h"

#include "engine/train/optimizer.h"

#include <cmath>

namespace pha {

bool takenByMuon(const std::string& name, const Tensor& weight)
{
    return weight.dim() == 2 && name.starts_with("layers.") && parameterKind(name, weight) == ParameterKind::Matrix;
}

Tensor orthogonalise(const Tensor& matrix)
{
    const bool tall = matrix.size(0) > matrix.size(1); // the smaller side is squared
    auto x = tall ? matrix.t() : matrix;
    if (x.is_cuda()) x = x.to(torch::kBFloat16);
    x = x / (x.norm() + 1e-7);
    for (int i = 0; i < 5; ++i) {
        const auto a = torch::mm(x, x.t());
        x = 3.4445 * x + torch::mm(-4.7750 * a + 2.0315 * torch::mm(a, a), x);
    }
    return (tall ? x.t() : x).to(torch::kFloat);
}

Muon::Muon(const LanguageModel& model, const TrainingConfig& config)
    : config_(config)
{
    if (config.optimizer != "muon") return;
    for (const auto& [name, weight] : namedWeights(model))
        if (weight.requires_grad() && takenByMuon(name, weight))
            slots_.push_back({ name, weight, torch::zeros_like(weight.detach()) });
}

void Muon::zeroGrad()
{
    for (auto& slot : slots_) slot.weight.mutable_grad() = Tensor();
}

double Muon::gradNorm() const
{
    std::vector<Tensor> gradients;
    for (const auto& slot : slots_) gradients.push_back(slot.weight.grad());
    return std::sqrt(sumOfSquares(gradients));
}

void Muon::step(double rate, double scale)
{
    const torch::NoGradGuard guard;
    for (auto& slot : slots_) {
        const auto& gradient = slot.weight.grad();
        if (!gradient.defined()) continue;
        const auto g = gradient * scale;
        slot.momentum.lerp_(g, 1 - config_.muonMomentum);
        const auto update = orthogonalise(torch::lerp(g, slot.momentum, config_.muonMomentum)); // Nesterov
        auto w = slot.weight.detach();
        const double shape = std::sqrt(std::max(1.0, double(w.size(0)) / double(w.size(1))));
        w.mul_(1 - rate * config_.muonWeightDecay).add_(update, -rate * shape);
    }
}

NamedTensors Muon::state() const
{
    NamedTensors all;
    for (const auto& slot : slots_) all.emplace_back("muon." + slot.name, slot.momentum);
    return all;
}

} // namespace pha
