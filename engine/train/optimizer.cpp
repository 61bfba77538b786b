// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/optimizer.h"

#include "engine/model/cpu_kernels.h"
#include "engine/torch/torch_version.h"

#include <cmath>
#include <map>
#include <numbers>

namespace pha {

namespace {

/// The order of a row of UpdateNumbers; what follows is the number of the update, Muon's rate and AdamW's by kind.
enum Place : std::int64_t { Scored, Allowed, Rate, Share, Count, MuonRate, Rates };
constexpr std::int64_t kinds = 4; ///< of parameters

} // namespace

double sumOfSquares(const std::vector<Tensor>& gradients)
{
    double sum = 0;
    Tensor onDevice; // one wait for the device at the end
    for (const auto& g : gradients) {
        if (!g.defined()) continue;
        if (g.is_cpu() && g.scalar_type() == torch::kFloat && g.is_contiguous()) {
            sum += sumSquaresCpu(g);
        } else {
            const auto part = g.square().sum(torch::kDouble);
            onDevice = onDevice.defined() ? onDevice + part : part;
        }
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
}

void AdamW::reset()
{
    updates_ = 0;
    for (auto& slot : slots_) {
        slot.m.zero_();
        slot.v.zero_();
    }
}

std::vector<Tensor> AdamW::gradients() const
{
    std::vector<Tensor> all;
    for (const auto& slot : slots_) all.push_back(slot.weight.grad());
    return all;
}

double AdamW::gradNorm() const { return std::sqrt(sumOfSquares(gradients())); }

double AdamW::rateOf(ParameterKind kind, double rate) const
{
    return kind == ParameterKind::Ssm   ? std::min(rate, config_.ssmLearningRate)
        : kind == ParameterKind::Mixing ? rate * config_.mixLearningRate
                                        : rate;
}

void AdamW::step(double rate, double scale)
{
    const torch::NoGradGuard guard;
    ++updates_;
    const double correction1 = 1 - std::pow(config_.beta1, double(updates_));
    const double correction2 = 1 - std::pow(config_.beta2, double(updates_));
    for (auto& slot : slots_) {
        auto g = slot.weight.grad();
        if (!g.defined()) continue;
        const double own = rateOf(slot.kind, rate), decay = decayOf(slot.kind);
        auto w = slot.weight.detach();
        if (w.is_cpu() && w.scalar_type() == torch::kFloat) {
            adamwCpu(w, slot.m, slot.v, g.contiguous(), own, config_.beta1, config_.beta2, config_.epsilon, decay,
                correction1, correction2, scale);
            w.unsafeGetTensorImpl()->bump_version(); // written by address: copies of it are stale
            continue;
        }
        g = g * scale;
        slot.m.mul_(config_.beta1).add_(g, 1 - config_.beta1);
        slot.v.mul_(config_.beta2).addcmul_(g, g, 1 - config_.beta2);
        w.mul_(1 - own * decay);
        w.addcdiv_(slot.m / correction1, (slot.v / correction2).sqrt_().add_(config_.epsilon), -own);
    }
}

void AdamW::stepOnCard(const Tensor& update, const Tensor& rates, const Tensor& divisor, const Tensor& skip)
{
    const torch::NoGradGuard guard;
    std::map<ParameterKind, FusedAdamW> lists; // by what rate and decay depend on
    for (auto& slot : slots_)
        if (const auto g = slot.weight.grad(); g.defined())
            lists[slot.kind].add(slot.weight.detach(), g, slot.m, slot.v);
    for (auto& [kind, list] : lists)
        list.step(update, rates[std::int64_t(kind)], config_.beta1, config_.beta2, config_.epsilon, decayOf(kind),
            divisor, skip);
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

Tensor Optimizer::numbers(const UpdateNumbers& update) const
{
    auto row = torch::zeros({ Rates + kinds }, torch::kDouble);
    auto* at = row.data_ptr<double>();
    at[Scored] = update.scored, at[Allowed] = update.allowed, at[Rate] = update.rate, at[Share] = update.share;
    at[Count] = double(adamw_.updates() + 1), at[MuonRate] = config_.muonLearningRate * update.share;
    for (std::int64_t k = 0; k < kinds; ++k) at[Rates + k] = adamw_.rateOf(ParameterKind(k), update.rate);
    return row;
}

Tensor Optimizer::apply(const Tensor& loss, const Tensor& numbers)
{
    const torch::NoGradGuard guard;
    if (onCard_) return applyOnCard(loss, numbers);
    const auto host = numbers.to(torch::kCPU);
    const auto* n = host.data_ptr<double>();
    // One non-finite gradient makes the norm non-finite: the update is left out before anything is touched.
    const UpdateResult result { n[Allowed] > 0 ? loss.item<double>() : NAN, gradNorm() };
    const double most = config_.clip;
    if (result.finite()) step(n[Rate], n[Share], most > 0 && result.norm > most ? most / result.norm : 1.0);
    return torch::tensor({ result.loss, result.norm }, torch::kDouble);
}

std::vector<Tensor> Optimizer::gradients() const
{
    std::vector<Tensor> all;
    for (const auto& some : { adamw_.gradients(), muon_.gradients() })
        for (const auto& g : some)
            if (g.defined()) all.push_back(g);
    return all;
}

Tensor Optimizer::applyOnCard(const Tensor& loss, const Tensor& numbers)
{
    const auto norm = torch::stack(at::_foreach_norm(gradients(), 2)).to(torch::kDouble).square().sum().sqrt();
    const auto mean = loss.to(torch::kDouble).masked_fill(numbers[Allowed] == 0, NAN);
    const auto skip = torch::logical_and(mean.isfinite(), norm.isfinite()).logical_not().to(torch::kFloat);
    const auto divisor =
        config_.clip > 0 ? (norm / config_.clip).clamp_min(1).to(torch::kFloat) : torch::ones_like(skip);
    const auto row = numbers.to(torch::kFloat);
    adamw_.stepOnCard(row[Count], row.narrow(0, Rates, kinds), divisor, skip);
    muon_.stepOnCard(row[MuonRate], divisor, skip);
    return torch::stack({ mean, norm });
}

UpdateResult Optimizer::read(const Tensor& applied)
{
    const auto host = applied.to(torch::kCPU);
    const auto* at = host.data_ptr<double>();
    const UpdateResult result { at[0], at[1] };
    if (onCard_ && result.finite()) adamw_.setUpdates(adamw_.updates() + 1); // step() counts elsewhere
    return result;
}

double Optimizer::clippedBy(const std::string& name, const Tensor& weight, const UpdateResult& result) const
{
    const bool inPlace = onCard_ && config_.clip > 0 && result.finite() && weight.grad().is_contiguous()
        && !(config_.optimizer == "muon" && takenByMuon(name, weight));
    return inPlace ? std::max(1.0, result.norm / config_.clip) : 1;
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
