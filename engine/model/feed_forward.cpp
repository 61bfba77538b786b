// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/branches.h"

#include "engine/base/error.h"

namespace pha {

FeedForward::FeedForward(std::int64_t width, std::int64_t hidden)
{
    gate_ = register_parameter("gate", torch::empty({ hidden, width }));
    up_ = register_parameter("up", torch::empty({ hidden, width }));
    down_ = register_parameter("down", torch::empty({ width, hidden }));
}

Tensor FeedForward::forward(const Tensor& u, const Pass& pass, std::int64_t, BlockState*)
{
    return project(swiglu(project(u, gate_, pass.matrix), project(u, up_, pass.matrix)), down_, pass.matrix);
}

std::shared_ptr<Branch> makeBranch(const std::string& name, const ModelConfig& config)
{
    if (name == "gss" && config.gssKind == "gated_rec") return std::make_shared<GatedRecurrenceBranch>(config);
    if (name == "gss") return std::make_shared<GssBranch>(config);
    if (name == "attention") return std::make_shared<AttentionBranch>(config);
    if (name == "ffn") return std::make_shared<FeedForward>(config.width, config.auxWidth);
    throw ConfigError("branches", name, "any of gss, attention, ffn");
}

} // namespace pha
