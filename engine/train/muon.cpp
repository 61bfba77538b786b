// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/muon.h"

#include "engine/model/fused_cpu.h"
#include "engine/train/optimizer.h"

#include <algorithm>
#include <atomic>
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
    const auto rest = fusedWanted() ? stepOnProcessor(rate, scale) : slots_;
    for (const auto& slot : rest) {
        const auto& gradient = slot.weight.grad();
        if (!gradient.defined()) continue;
        const auto g = gradient * scale;
        auto momentum = slot.momentum;
        momentum.lerp_(g, 1 - config_.muonMomentum);
        const auto update = orthogonalise(torch::lerp(g, slot.momentum, config_.muonMomentum)); // Nesterov
        auto w = slot.weight.detach();
        const double shape = std::sqrt(std::max(1.0, double(w.size(0)) / double(w.size(1))));
        w.mul_(1 - rate * config_.muonWeightDecay).add_(update, -rate * shape);
    }
}

/// Matrices that a core's caches hold: each is one thread's, the largest first, so that no thread waits long at the
/// end.
std::vector<Muon::Slot> Muon::stepOnProcessor(double rate, double scale)
{
    constexpr std::int64_t most = std::int64_t(1) << 18; // numbers
    std::vector<Slot> rest;
    std::vector<cpu::Muon> work;
    std::vector<Tensor> gradients; // kept until they have been read
    for (const auto& slot : slots_) {
        const auto& gradient = slot.weight.grad();
        if (!gradient.defined()) continue;
        const auto& w = slot.weight;
        if (!w.is_cpu() || w.scalar_type() != torch::kFloat || !w.is_contiguous() || w.numel() > most) {
            rest.push_back(slot);
            continue;
        }
        gradients.push_back(gradient.contiguous());
        const double shape = std::sqrt(std::max(1.0, double(w.size(0)) / double(w.size(1))));
        work.push_back({ w.size(0), w.size(1), w.data_ptr<float>(), slot.momentum.data_ptr<float>(),
            gradients.back().data_ptr<float>(), float(scale), float(config_.muonMomentum),
            float(1 - rate * config_.muonWeightDecay), float(rate * shape) });
    }
    std::stable_sort(work.begin(), work.end(),
        [](const auto& a, const auto& b) { return cpu::muonScratch(a) > cpu::muonScratch(b); });
    std::atomic<std::size_t> next { 0 };
    at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t, std::int64_t) {
        Tensor scratch;
        for (std::size_t i; (i = next++) < work.size();) {
            if (!scratch.defined()) scratch = torch::empty({ cpu::muonScratch(work[i]) }, torch::kFloat);
            cpu::kernels().muonUpdate(work[i], scratch.data_ptr<float>());
        }
    });
    return rest;
}

NamedTensors Muon::state() const
{
    NamedTensors all;
    for (const auto& slot : slots_) all.emplace_back("muon." + slot.name, slot.momentum);
    return all;
}

} // namespace pha
