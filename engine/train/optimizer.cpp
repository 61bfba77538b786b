// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/optimizer.h"

#include "engine/model/cpu_kernels.h"
#include "engine/system/torch_version.h"

#include <cmath>
#include <numbers>

namespace pha {

double sumOfSquares(const std::vector<Tensor>& gradients)
{
    double sum = 0;
    Tensor onDevice;
    std::vector<Tensor> onCard;
    for (const auto& g : gradients) {
        if (!g.defined()) continue;
        if (g.is_cuda() && g.scalar_type() == torch::kFloat) {
            onCard.push_back(g);
        } else if (g.is_cpu() && g.scalar_type() == torch::kFloat && g.is_contiguous()) {
            sum += sumSquaresCpu(g);
        } else { // one wait for the device at the end
            const auto part = g.square().sum(torch::kDouble);
            onDevice = onDevice.defined() ? onDevice + part : part;
        }
    }
    if (!onCard.empty()) {
        const auto part = torch::stack(at::_foreach_norm(onCard, 2)).to(torch::kDouble).square().sum();
        onDevice = onDevice.defined() ? onDevice + part : part;
    }
    return sum + (onDevice.defined() ? onDevice.item<double>() : 0.0);
}

AdamW::AdamW(const LanguageModel& model, const TrainingConfig& config)
    : config_(config)
{
    for (const auto& [name, weight] : namedWeights(model))
        if (weight.requires_grad() && !(config.optimizer == "muon" && takenByMuon(name, weight)))
            slots_.push_back({ name, weight, torch::zeros_like(weight.detach()), torch::zeros_like(weight.detach()),
                parameterKind(name, weight) });
}

void AdamW::zeroGrad()
{
    for (auto& slot : slots_) slot.weight.mutable_grad() = Tensor();
    onCard_.clear();
}

void AdamW::reset()
{
    updates_ = 0;
    for (auto& slot : slots_) {
        slot.m.zero_();
        slot.v.zero_();
    }
}

bool AdamW::updatedOnCard(const Slot& slot) const
{
    return hasFusedAdamW && slot.weight.is_cuda() && slot.weight.scalar_type() == torch::kFloat;
}

void AdamW::layOut()
{
    onCard_.clear();
    for (auto& slot : slots_)
        if (const auto g = slot.weight.grad(); g.defined() && updatedOnCard(slot))
            onCard_[slot.kind].add(slot.weight.detach(), g, slot.m, slot.v);
}

double AdamW::gradNorm()
{
    layOut();
    std::vector<Tensor> gradients;
    for (const auto& slot : slots_) gradients.push_back(slot.weight.grad());
    return std::sqrt(sumOfSquares(gradients));
}

void AdamW::step(double rate, double scale)
{
    const torch::NoGradGuard guard;
    ++updates_;
    const double correction1 = 1 - std::pow(config_.beta1, double(updates_));
    const double correction2 = 1 - std::pow(config_.beta2, double(updates_));
    const auto rateOf = [&](ParameterKind kind) {
        return kind == ParameterKind::Ssm   ? std::min(rate, config_.ssmLearningRate)
            : kind == ParameterKind::Mixing ? rate * config_.mixLearningRate
                                            : rate;
    };
    const auto decayOf = [&](ParameterKind kind) { return kind == ParameterKind::Matrix ? config_.weightDecay : 0; };
    if (onCard_.empty()) layOut(); // nobody asked for the norm
    for (auto& [kind, lists] : onCard_)
        lists.step(updates_, rateOf(kind), config_.beta1, config_.beta2, config_.epsilon, decayOf(kind), scale);
    onCard_.clear();
    for (auto& slot : slots_) {
        auto g = slot.weight.grad();
        if (!g.defined() || updatedOnCard(slot)) continue;
        const double own = rateOf(slot.kind), decay = decayOf(slot.kind);
        if (slot.weight.is_cpu() && slot.weight.scalar_type() == torch::kFloat) {
            auto w = slot.weight.detach();
            adamwCpu(w, slot.m, slot.v, g.contiguous(), own, config_.beta1, config_.beta2, config_.epsilon, decay,
                correction1, correction2, scale);
            continue;
        }
        g = g * scale;
        slot.m.mul_(config_.beta1).add_(g, 1 - config_.beta1);
        slot.v.mul_(config_.beta2).addcmul_(g, g, 1 - config_.beta2);
        auto w = slot.weight.detach();
        w.mul_(1 - own * decay);
        w.addcdiv_(slot.m / correction1, (slot.v / correction2).sqrt_().add_(config_.epsilon), -own);
    }
}

NamedTensors AdamW::state() const
{
    NamedTensors all;
    for (const auto& slot : slots_) {
        all.emplace_back("m." + slot.name, slot.m);
        all.emplace_back("v." + slot.name, slot.v);
    }
    return all;
}

double scheduleShare(const TrainingConfig& config, std::int64_t step)
{
    auto c = config; // the course begins when all weights learn
    c.steps -= c.distillSteps;
    step -= c.distillSteps;
    if (step < c.warmupSteps) return double(step + 1) / double(c.warmupSteps);
    if (c.schedule == "cosine") {
        const auto span = double(std::max<std::int64_t>(1, c.steps - c.warmupSteps));
        const double x = std::min(1.0, double(step - c.warmupSteps) / span);
        return c.minLearningRate + (1 - c.minLearningRate) * 0.5 * (1 + std::cos(std::numbers::pi * x));
    }
    if (c.schedule == "wsd") {
        const double decay = std::max(1.0, c.decayShare * double(c.steps)), left = double(c.steps - step);
        return left >= decay ? 1 : c.minLearningRate + (1 - c.minLearningRate) * std::max(0.0, left / decay);
    }
    return 1; // constant, plateau
}

void Plateau::observe(double nll, const TrainingConfig& config)
{
    constexpr double threshold = 1e-4;
    if (nll < best * (1 - threshold)) {
        best = nll;
        bad = 0;
    } else if (++bad > config.plateauPatience) {
        factor *= config.plateauFactor;
        bad = 0;
    }
}

} // namespace pha
