// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/language_model.h"

#include <cmath>

namespace pha {

Block::Block(const ModelConfig& config, std::int64_t layer)
    : residualMode_(config.residualMode)
    , alpha_(std::pow(2.0 * double(config.layers), 0.25))
    , layer_(layer)
{
    const auto gain = [&](const char* name) { return register_parameter(name, torch::empty({ config.width })); };
    const bool post = residualMode_ == "deepnorm_post";
    if (post)
        postMix_ = gain("norm_post_mix");
    else
        normIn_ = gain("norm_in");
    for (const auto& name : config.branchList()) branches_.push_back(register_module(name, makeBranch(name, config)));
    mixer_ = register_module("mixing", std::make_shared<Mixer>(config));
    if (config.mainWidth == 0) return;
    if (post)
        postMain_ = gain("norm_post_main");
    else
        normMid_ = gain("norm_mid");
    main_ = register_module("main", std::make_shared<FeedForward>(config.width, config.mainWidth));
}

Tensor Block::join(const Tensor& x, const Tensor& update, const Tensor& postGain, const Pass& pass) const
{
    const auto f = dropout(update.to(x.scalar_type()), pass.training ? pass.dropout : 0, pass.generator);
    if (residualMode_ == "prenorm") return x + f;
    if (residualMode_ == "prenorm_scaled") return x + f * (1 / alpha_);
    if (residualMode_ == "deepnorm_post") return rmsNorm(x * alpha_ + f, postGain, x.scalar_type());
    return x * alpha_ + f; // prenorm_alpha_literal
}

Tensor Block::forward(const Tensor& x, const Pass& pass, std::int64_t position, BlockState* state)
{
    const auto type = pass.matrix;
    const auto u = normIn_.defined() ? rmsNorm(x, normIn_, type) : x; // (B,T,D), shared by the branches
    std::vector<Tensor> z;
    for (const auto& branch : branches_) z.push_back(branch->forward(u, pass, position, state)); // K x (B,T,D)
    const auto x1 = join(x, mixer_->forward(u, z, pass, layer_), postMix_, pass);
    if (!main_) return x1;
    const auto m = normMid_.defined() ? rmsNorm(x1, normMid_, type) : x1;
    return join(x1, main_->forward(m, pass, position, nullptr), postMain_, pass);
}

} // namespace pha
