// SPDX-License-Identifier: GPL-3.0-or-later
// Feed-forward networks.
#if PHA_HAS_KERNELS

#include "engine/model/activation.h"
#include "engine/model/fused_detail.h"

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// Keeps its input and the hidden layer before the activation; the activation itself is formed again.
struct FeedForwardFunction : torch::autograd::Function<FeedForwardFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& u, const Tensor& gate, const Tensor& up,
        const Tensor& down, const Tensor& in, const Tensor& out, const std::string& kind)
    {
        const auto rows = bf16Rows(u);
        const auto hidden = matrixProduct(rows, in);
        const auto F = down.size(1);
        const auto active = torch::empty({ rows.size(0), F }, rows.options());
        kernels::activationForward(activationOf(kind), raw(hidden), raw(active), rows.size(0), F, stream());
        ctx->save_for_backward({ rows, hidden, in, out });
        ctx->saved_data["kind"] = kind;
        ctx->saved_data["gate"] = gate.size(0) * std::int64_t(gate.numel() > 0);
        ctx->saved_data["up"] = up.size(0);
        return matrixProduct(active, out).view(withLast(u, out.size(0)));
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto &rows = saved[0], &hidden = saved[1], &in = saved[2], &out = saved[3];
        const auto dz = bf16Rows(gradients[0]);
        auto dactive = torch::mm(dz, out);
        const auto active = torch::empty_like(dactive), dhidden = torch::empty_like(hidden);
        kernels::activationBackward(activationOf(ctx->saved_data["kind"].toStringRef()), raw(dactive), raw(hidden),
            raw(dhidden), raw(active), dz.size(0), active.size(1), stream());
        dactive = Tensor();
        const auto ddown = weightGradient(dz, active), din = weightGradient(dhidden, rows);
        const auto gate = ctx->saved_data["gate"].toInt(), up = ctx->saved_data["up"].toInt();
        const auto du = torch::mm(dhidden, in).view(withLast(gradients[0], in.size(1)));
        return { du, gate ? din.narrow(0, 0, gate) : Tensor(), din.narrow(0, gate, up), ddown, Tensor(), Tensor(),
            Tensor() };
    }
};

} // namespace

namespace card {

Tensor fusedFeedForward(const std::string& kind, const Tensor& u, const Tensor& gate, const Tensor& up,
    const Tensor& down, const Pass& pass)
{
    const auto in = gate.defined() ? pass.cache->stacked({ gate, up }) : pass.cache->stacked({ up });
    return FeedForwardFunction::apply(u, orEmpty(gate, u), up, down, in, pass.cache->stacked({ down }), kind);
}

} // namespace card

} // namespace pha

#endif
