// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/mixer.h"
#include "engine/model/watch.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pha {

bool normalisedMix(const std::string& mode) { return mode.find("sigmoid") == std::string::npos; }

Mixer::Mixer(const ModelConfig& config, const Stage& stage)
    : names_(stage.parts)
    , sharers_(stage.sharers.size())
    , mode_(config.mixMode)
    , affine_(config.branchNormAffine)
{
    for (std::size_t k = 0; k < sharers_; ++k)
        if (std::count(names_.begin(), names_.end(), stage.sharers[k]) > 0) place_.push_back(k);
    const auto K = std::int64_t(sharers_), D = config.width;
    if (mode_.starts_with("channel"))
        logits_ = register_parameter("logits", torch::empty({ K, D }));
    else if (mode_ != "fixed")
        logits_ = register_parameter("logits", torch::empty({ K }));
    if (mode_.starts_with("token")) tokenWeight_ = register_parameter("token", torch::empty({ K, D }));
    // Gains fixed to 1 are stored all the same, so that files and counts do not depend on the switch (models.md 19.4).
    for (const auto& name : names_) gains_.push_back(register_parameter("norm_" + name, torch::empty({ D }), affine_));
}

std::vector<Tensor> Mixer::weights(const Tensor& u) const
{
    const auto K = std::int64_t(sharers_);
    Tensor w;
    if (mode_ == "fixed") {
        w = torch::full({ K }, 1.0 / double(K), u.options().dtype(gains_[0].scalar_type()));
    } else if (mode_ == "softplus") {
        const auto s = torch::softplus(logits_);
        w = s / s.sum();
    } else if (mode_ == "softmax" || mode_ == "channel_softmax") {
        w = torch::softmax(logits_, 0);
    } else if (mode_ == "sigmoid" || mode_ == "channel_sigmoid") {
        w = torch::sigmoid(logits_);
    } else { // token, token_sigmoid: (B,T,K)
        const auto z = at::linear(u.to(tokenWeight_.scalar_type()), tokenWeight_, logits_);
        w = mode_ == "token" ? torch::softmax(z, -1) : torch::sigmoid(z);
    }
    std::vector<Tensor> all;
    for (std::int64_t k = 0; k < K; ++k) all.push_back(w.dim() == 3 ? w.narrow(-1, k, 1) : w.select(0, k));
    return all;
}

std::vector<Tensor> Mixer::present(const std::vector<Tensor>& w) const
{
    std::vector<Tensor> there;
    for (const auto k : place_) there.push_back(w[k]);
    return there;
}

void Mixer::dropBranches(std::vector<Tensor>& w, const Tensor& u, const Pass& pass) const
{
    const auto B = u.size(0), K = std::int64_t(w.size());
    // What is left grows to the sum that it had: 1, less the shares of branches that were pruned.
    const auto before = whole() ? Tensor() : std::accumulate(w.begin() + 1, w.end(), w.front());
    const auto options = torch::dtype(torch::kFloat).device(u.device());
    const auto drop = torch::empty({ B }, options).bernoulli_(pass.branchDropout, pass.generator);
    const auto which =
        torch::empty({ B }, options).uniform_(0, double(K), pass.generator).floor().clamp_max(double(K - 1));
    Tensor sum;
    for (std::int64_t k = 0; k < K; ++k) {
        const auto keep = (1 - drop * (which == double(k))).view({ B, 1, 1 });
        w[std::size_t(k)] = w[std::size_t(k)] * keep;
        sum = sum.defined() ? sum + w[std::size_t(k)] : w[std::size_t(k)];
    }
    if (!normalisedMix(mode_)) return; // weights that need not sum to anything (models.md 5.4)
    for (auto& weight : w) weight = before.defined() ? weight * before / sum : weight / sum;
}

std::vector<Tensor> Mixer::passWeights(const Tensor& u, const Pass& pass, std::int64_t layer) const
{
    const auto all = weights(u);
    if (pass.meanWeights) {
        std::vector<Tensor> means;
        for (const auto& weight : all) means.push_back(weight.mean());
        pass.meanWeights->push_back(torch::stack(means));
    }
    auto w = present(all);
    if (pass.training && pass.branchDropout > 0 && w.size() > 1) dropBranches(w, u, pass);
    if (pass.mix)
        for (const auto& change : *pass.mix)
            for (std::size_t k = 0; k < names_.size(); ++k)
                if ((change.layer < 0 || change.layer == layer) && change.branch == names_[k])
                    w[k] =
                        torch::full({}, change.weight, u.options().dtype(gains_[0].scalar_type()).requires_grad(false));
    return w;
}

bool Mixer::fusable() const { return !affine_ && !mode_.starts_with("channel"); }

bool Mixer::describe(kernels::StepStage& stage, std::vector<Tensor>& held) const
{
    using kernels::StepMix;
    const std::pair<const char*, StepMix> modes[] { { "fixed", StepMix::Fixed }, { "softplus", StepMix::Softplus },
        { "softmax", StepMix::Softmax }, { "sigmoid", StepMix::Sigmoid } };
    const auto found =
        std::find_if(std::begin(modes), std::end(modes), [&](const auto& mode) { return mode_ == mode.first; });
    if (affine_ || found == std::end(modes)) return false;
    if (!whole()) {
        held.push_back(torch::stack(present(weights(gains_[0]))).contiguous());
        stage.mix = StepMix::Weights, stage.logits = held.back().data_ptr<float>();
        return true;
    }
    stage.mix = found->second;
    if (logits_.defined()) stage.logits = logits_.data_ptr<float>();
    return true;
}

Update Mixer::update(const Tensor& u, std::vector<Tensor> z, const Pass& pass, std::int64_t layer) const
{
    const bool asTheyAre = whole() && !pass.mix && !pass.meanWeights && !(pass.training && pass.branchDropout > 0);
    if (asTheyAre && mixWeightsFit(u.device(), mode_)) return { std::move(z), fusedMixWeights(mode_, logits_), true };
    auto w = passWeights(u, pass, layer);
    const bool perToken = std::any_of(w.begin(), w.end(), [](const Tensor& weight) { return weight.dim() == 3; });
    if (perToken)
        for (auto& weight : w) weight = weight.expand({ u.size(0), u.size(1), 1 });
    return { std::move(z), perToken ? torch::cat(w, -1) : torch::stack(w), true };
}

Tensor Mixer::forward(const Tensor& u, const std::vector<Tensor>& z, const Pass& pass, std::int64_t layer)
{
    const auto type = gains_[0].scalar_type();
    const auto w = passWeights(u, pass, layer);
    Tensor y;
    std::vector<Tensor> normed;
    for (std::size_t k = 0; k < z.size(); ++k) {
        const auto n = rmsNorm(z[k], affine_ ? gains_[k] : Tensor(), z[k].scalar_type());
        const auto part = n.to(type) * w[k];
        y = y.defined() ? y + part : part;
        if (pass.watch) pass.watch->write(layer, names_[k], part);
        if (pass.record) normed.push_back(n);
    }
    if (pass.record) pass.record->push_back(describe(w, z, normed, y));
    return y;
}

LayerMix Mixer::describe(
    const std::vector<Tensor>& w, const std::vector<Tensor>& z, const std::vector<Tensor>& n, const Tensor& y) const
{
    const torch::NoGradGuard guard;
    LayerMix mix;
    const double whole = y.to(torch::kFloat).norm().item<double>();
    double sum = 0;
    for (std::size_t k = 0; k < names_.size(); ++k) {
        const auto values = w[k].to(torch::kDouble);
        BranchMix branch;
        branch.branch = names_[k];
        const double gain =
            affine_ ? gains_[k].to(torch::kDouble).square().mean().sqrt().item<double>() : 1; // models.md 5.1
        branch.mean = gain * values.mean().item<double>();
        branch.deviation = values.numel() > 1 ? gain * values.std(false).item<double>() : 0;
        branch.minimum = gain * values.min().item<double>();
        branch.maximum = gain * values.max().item<double>();
        branch.outputRms = std::sqrt(z[k].to(torch::kFloat).square().mean().item<double>());
        branch.contribution =
            whole == 0 ? 0 : (n[k].to(torch::kFloat) * w[k].to(torch::kFloat)).norm().item<double>() / whole;
        sum += branch.mean;
        mix.branches.push_back(branch);
    }
    for (auto& branch : mix.branches) {
        branch.normalised = sum > 0 ? branch.mean / sum : 0;
        if (branch.normalised > 0) mix.entropy -= branch.normalised * std::log(branch.normalised);
    }
    mix.entropy = names_.size() > 1 ? mix.entropy / std::log(double(names_.size())) : 0;
    return mix;
}

} // namespace pha
