// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/language_model.h"
#include "engine/model/watch.h"

#include <algorithm>
#include <cmath>

namespace pha {

StreamNorm::StreamNorm(torch::nn::Module& owner, const std::string& name, const ModelConfig& config)
    : gain(owner.register_parameter(name, torch::empty({ config.width })))
{
    if (config.normKind == "layernorm") bias = owner.register_parameter(name + "_bias", torch::empty({ config.width }));
}

Tensor StreamNorm::operator()(const Tensor& x, torch::Dtype out) const
{
    if (!gain.defined()) return x;
    return bias.defined() ? layerNorm(x, gain, bias, out) : rmsNorm(x, gain, out);
}

void StreamNorm::split(const Tensor& x, Watch& watch) const
{
    if (!gain.defined()) return;
    const auto whole = x.squeeze(0);
    const auto scale = bias.defined() ? (whole.var(-1, false, true) + layerNormEps).rsqrt()
                                      : (whole.square().mean(-1, true) + normEps).rsqrt();
    const auto linear = [&](const Tensor& part) {
        return (bias.defined() ? part - part.mean(-1, true) : part) * scale * gain;
    };
    watch.pass(linear, bias);
}

Block::Block(const ModelConfig& config, std::int64_t layer)
    : postNorm_(config.residualMode == "deepnorm_post")
    , layer_(layer)
{
    const double alpha = std::pow(2.0 * double(config.layers), 0.25);
    if (config.residualMode == "prenorm_scaled") added_ = 1 / alpha;
    if (postNorm_ || config.residualMode == "prenorm_alpha_literal") kept_ = alpha;
    for (const auto& stage : layerStages(config, layer)) addStep(config, stage);
}

void Block::addStep(const ModelConfig& config, const Stage& stage)
{
    Step step;
    step.names = stage.parts;
    // Names of files: norm_in and norm_post_mix of a mix, norm_mid and norm_post_main of the main network, otherwise
    // norm_PART and norm_post_PART.
    const auto& first = stage.parts.front();
    if (postNorm_)
        step.after = StreamNorm(*this, "norm_post_" + (stage.mixed ? "mix" : first), config);
    else
        step.before = StreamNorm(*this, "norm_" + (stage.mixed ? "in" : first == "main" ? "mid" : first), config);
    for (const auto& name : stage.parts) step.parts.push_back(register_module(name, makeBranch(name, config)));
    if (stage.mixed) step.mixer = register_module("mixing", std::make_shared<Mixer>(config, stage));
    mixes_ |= stage.mixed;
    steps_.push_back(std::move(step));
}

std::size_t Block::partCount() const
{
    std::size_t count = 0;
    for (const auto& step : steps_) count += step.parts.size();
    return count;
}

Tensor Block::join(const Tensor& x, const Tensor& update, const StreamNorm& after, const Pass& pass) const
{
    const auto f = dropout(update.to(x.scalar_type()), pass.training ? pass.dropout : 0, pass.generator);
    const auto scaled = [](const Tensor& y, double by) { return by == 1 ? y : y * by; };
    const auto sum = scaled(x, kept_) + scaled(f, added_);
    if (pass.watch) {
        pass.watch->join(kept_, added_);
        after.split(sum, *pass.watch);
    }
    return after(sum, x.scalar_type());
}

double Block::plainWeight(const Step& step, const Pass& pass) const
{
    double weight = 1;
    if (pass.mix)
        for (const auto& change : *pass.mix)
            if ((change.layer < 0 || change.layer == layer_) && change.branch == step.names[0]) weight = change.weight;
    return weight;
}

Tensor Block::compute(const Step& step, std::size_t part, const Tensor& u, const Pass& pass, std::int64_t position,
    BlockState* state) const
{
    const auto& name = step.names[part];
    if (pass.watch) pass.watch->enter(layer_, name);
    if (pass.clock) (*pass.clock)(layer_, name, true);
    auto z = step.parts[part]->forward(u, pass, position, state);
    if (pass.clock) (*pass.clock)(layer_, name, false);
    if (pass.watch) pass.watch->output(z);
    return z;
}

Tensor Block::plain(const Step& step, const Tensor& z, const Pass& pass) const
{
    const double weight = plainWeight(step, pass);
    const auto update = weight == 1 ? z : z * weight;
    if (pass.watch) pass.watch->write(layer_, step.names[0], update);
    return update;
}

namespace {

double rms(const Tensor& x) { return std::sqrt(x.to(torch::kFloat).square().mean().item<double>()); }

/// What a plain part writes beside the stream that it leaves behind; it has no weight to show.
BranchMix describePlain(const std::string& name, const Tensor& z, const Tensor& update, const Tensor& stream)
{
    const torch::NoGradGuard guard;
    BranchMix mix;
    mix.branch = name;
    mix.outputRms = rms(z);
    const double whole = rms(stream);
    mix.contribution = whole == 0 ? 0 : rms(update) / whole; // not a number where the stream is none
    return mix;
}

} // namespace

bool Block::fusable(const torch::Device& device) const
{
    return !postNorm_ && std::all_of(steps_.begin(), steps_.end(), [&](const Step& step) {
        return !step.before.bias.defined() && (!step.mixer || step.mixer->fusable())
            && fusedUpdateFits(device, step.before.gain.size(0), step.parts.size());
    });
}

bool Block::stepsOnCard() const
{
    return std::all_of(steps_.begin(), steps_.end(), [](const Step& step) {
        return std::all_of(step.parts.begin(), step.parts.end(), [](const auto& part) { return part->stepsOnCard(); });
    });
}

bool Block::describe(std::vector<kernels::StepStage>& stages, StepSource& source, std::vector<BlockState>& state) const
{
    if (postNorm_) return false;
    std::size_t at = 0;
    for (const auto& step : steps_) {
        kernels::StepStage stage;
        if (!step.before.gain.defined() || step.before.bias.defined()) return false;
        if (step.mixer && !step.mixer->describe(stage, source.held)) return false;
        stage.gain = step.before.gain.data_ptr<float>();
        stage.alpha = float(kept_), stage.beta = float(added_);
        for (const auto& part : step.parts)
            if (!part->describe(stage.parts.emplace_back(), source, state.at(at++))) return false;
        stages.push_back(std::move(stage));
    }
    return true;
}

std::vector<std::vector<std::string>> Block::stageNames() const
{
    std::vector<std::vector<std::string>> names;
    for (const auto& step : steps_) names.push_back(step.names);
    return names;
}

void Block::forwardFused(
    Tensor& x, Update& pending, const Pass& pass, std::int64_t position, std::vector<BlockState>* state)
{
    std::size_t part = 0;
    for (const auto& step : steps_) {
        const auto u = fusedNorm(x, pending, step.before.gain, pass, step.parts.size());
        std::vector<Tensor> z;
        for (std::size_t k = 0; k < step.parts.size(); ++k)
            z.push_back(compute(step, k, u[k], pass, position, state ? &state->at(part++) : nullptr));
        if (step.mixer) {
            pending = step.mixer->update(u[0], std::move(z), pass, layer_);
        } else {
            const double weight = plainWeight(step, pass);
            pending = { std::move(z), weight == 1 ? Tensor() : torch::full({ 1 }, weight, x.options()) };
        }
        pending.alpha = kept_, pending.beta = added_;
    }
}

Tensor Block::forward(const Tensor& input, const Pass& pass, std::int64_t position, std::vector<BlockState>* state)
{
    auto x = input;
    std::size_t part = 0;
    LayerMix shown;
    shown.mixed = false;
    for (const auto& step : steps_) {
        const auto u = step.before(x, pass.matrix); // (B,T,D), shared by the branches of a mix
        std::vector<Tensor> z; // K x (B,T,D)
        for (std::size_t k = 0; k < step.parts.size(); ++k)
            z.push_back(compute(step, k, u, pass, position, state ? &state->at(part++) : nullptr));
        const auto update = step.mixer ? step.mixer->forward(u, z, pass, layer_) : plain(step, z[0], pass);
        if (pass.record && !mixes_) {
            const auto written = update * added_; // both as join() adds them
            shown.branches.push_back(describePlain(step.names[0], z[0], written, x * kept_ + written));
        }
        x = join(x, update, step.after, pass);
    }
    if (pass.record && !mixes_) pass.record->push_back(std::move(shown));
    return x;
}

} // namespace pha
