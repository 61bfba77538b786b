// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/muon.h"

#include "engine/model/fused_cpu.h"
#include "engine/train/optimizer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>

namespace pha {

bool takenByMuon(const std::string& name, const Tensor& weight)
{
    return weight.dim() == 2 && name.starts_with("layers.") && parameterKind(name, weight) == ParameterKind::Matrix;
}

Tensor orthogonalise(const Tensor& matrices)
{
    const bool tall = matrices.size(-2) > matrices.size(-1); // the smaller side is squared
    auto x = tall ? matrices.transpose(-2, -1) : matrices;
    x = x.reshape({ -1, x.size(-2), x.size(-1) });
    if (x.is_cuda()) x = x.to(torch::kBFloat16);
    x = x / (x.norm(2, { -2, -1 }, true) + 1e-7);
    for (int i = 0; i < 5; ++i) {
        const auto a = torch::bmm(x, x.transpose(1, 2));
        x = torch::baddbmm(x, torch::baddbmm(a, a, a, -4.7750, 2.0315), x, 3.4445);
    }
    return (tall ? x.transpose(1, 2) : x).to(torch::kFloat).reshape(matrices.sizes());
}

Muon::Muon(const LanguageModel& model, const TrainingConfig& config)
    : config_(config)
{
    if (config.optimizer != "muon") return;
    std::map<std::vector<std::int64_t>, std::vector<std::size_t>> bySize;
    for (const auto& [name, weight] : namedWeights(model)) {
        if (!weight.requires_grad() || !takenByMuon(name, weight)) continue;
        bySize[weight.sizes().vec()].push_back(slots_.size());
        slots_.push_back({ name, weight, {} });
    }
    for (const auto& [size, members] : bySize) {
        auto& shape = shapes_.emplace_back();
        const auto options = slots_[members[0]].weight.options().requires_grad(false);
        shape.momentum = torch::zeros({ std::int64_t(members.size()), size[0], size[1] }, options);
        for (const auto i : members) {
            slots_[i].momentum = shape.momentum[std::int64_t(shape.weights.size())];
            shape.weights.push_back(slots_[i].weight);
        }
    }
}

void Muon::zeroGrad()
{
    for (auto& slot : slots_) slot.weight.mutable_grad() = Tensor();
}

std::vector<Tensor> Muon::gradients() const
{
    std::vector<Tensor> all;
    for (const auto& slot : slots_) all.push_back(slot.weight.grad());
    return all;
}

double Muon::gradNorm() const { return std::sqrt(sumOfSquares(gradients())); }

/// models.md 14.5: wide matrices move as far as square ones, tall ones further.
static double shapeFactor(const Tensor& w) { return std::sqrt(std::max(1.0, double(w.size(0)) / double(w.size(1)))); }

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
        w.mul_(1 - rate * config_.muonWeightDecay).add_(update, -rate * shapeFactor(w));
    }
}

void Muon::stepOnCard(const Tensor& rate, const Tensor& divisor, const Tensor& skip)
{
    const torch::NoGradGuard guard;
    const auto taken = 1 - skip, step = rate * taken;
    for (auto& shape : shapes_) {
        std::vector<Tensor> gradients;
        for (const auto& w : shape.weights)
            gradients.push_back(w.grad().defined() ? w.grad() : torch::zeros_like(w)); // nothing was learned of it
        const auto g = torch::stack(gradients).div_(divisor).masked_fill_(skip > 0, 0); // not a number times 0 is none
        shape.momentum.lerp_(g, (1 - config_.muonMomentum) * taken);
        const auto update = orthogonalise(torch::lerp(g, shape.momentum, config_.muonMomentum)) // Nesterov
                                .mul_(step * shapeFactor(shape.weights[0]));
        const auto keep = 1 - step * config_.muonWeightDecay;
        for (std::size_t i = 0; i < shape.weights.size(); ++i)
            shape.weights[i].detach().mul_(keep).sub_(update[std::int64_t(i)]);
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
        work.push_back({ w.size(0), w.size(1), w.data_ptr<float>(), slot.momentum.data_ptr<float>(),
            gradients.back().data_ptr<float>(), float(scale), float(config_.muonMomentum),
            float(1 - rate * config_.muonWeightDecay), float(rate * shapeFactor(w)) });
        w.unsafeGetTensorImpl()->bump_version(); // written by address: copies of it are stale
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
