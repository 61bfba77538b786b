// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/activation.h"
#include "engine/model/branches.h"
#include "engine/model/fused_ops.h"
#include "engine/model/watch.h"

namespace pha {

FeedForward::FeedForward(const std::string& kind, std::int64_t width, std::int64_t hidden, bool biases)
    : kind_(kind)
{
    if (kind == "swiglu") gate_ = register_parameter("gate", torch::empty({ hidden, width }));
    up_ = register_parameter("up", torch::empty({ hidden, width }));
    down_ = register_parameter("down", torch::empty({ width, hidden }));
    if (!biases) return;
    if (kind == "swiglu") gateBias_ = register_parameter("gate_bias", torch::empty({ hidden }));
    upBias_ = register_parameter("up_bias", torch::empty({ hidden }));
    downBias_ = register_parameter("down_bias", torch::empty({ width }));
}

bool FeedForward::describe(kernels::StepPart& part, StepSource& source, BlockState&) const
{
    if (upBias_.defined()) return false;
    kernels::StepFeedForward f;
    f.kind = activationOf(kind_);
    if (gate_.defined()) f.gate = source.matrix(gate_);
    f.up = source.matrix(up_);
    f.down = source.matrix(down_);
    f.hidden = int(up_.size(0));
    part = f;
    return true;
}

Tensor FeedForward::forward(const Tensor& u, const Pass& pass, std::int64_t, BlockState*)
{
    if (fusedPass(u, pass) && !pass.watch && !upBias_.defined())
        return fusedFeedForward(kind_, u, gate_, up_, down_, pass);
    const auto up = project(u, up_, upBias_, pass); // (B,T,F)
    const auto hidden = [&] {
        if (kind_ == "swiglu") return swiglu(project(u, gate_, gateBias_, pass), up);
        if (kind_ == "relu2") return torch::relu(up).square();
        return torch::gelu(up, kind_ == "gelu_tanh" ? "tanh" : "none");
    }();
    if (pass.watch) pass.watch->hidden(hidden);
    return project(hidden, down_, downBias_, pass);
}

} // namespace pha
