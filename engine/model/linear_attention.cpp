// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/linear_attention.h"

#include <cmath>

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr double featureFloor = 1e-12, exponentBound = 12, denominatorEps = 1e-12;

Tensor joined(const Tensor& plus, const Tensor& minus) { return torch::cat({ plus, minus }, -1); }

struct FeatureFunction : torch::autograd::Function<FeatureFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& z, bool exponential)
    {
        const auto bounded = exponential ? z.clamp(-exponentBound, exponentBound) : z;
        auto phi = exponential ? joined(bounded.exp(), (-bounded).exp())
                               : joined(torch::softmax(bounded, -1), torch::softmax(-bounded, -1));
        phi.clamp_min_(featureFloor);
        ctx->saved_data["exponential"] = exponential;
        ctx->save_for_backward({ phi });
        return phi;
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto phi = ctx->get_saved_variables()[0].chunk(2, -1), g = gradients[0].chunk(2, -1);
        const auto plus = phi[0] * g[0], minus = phi[1] * g[1];
        if (!ctx->saved_data["exponential"].toBool()) // d softmax = p (g - sum p g)
            return { plus - phi[0] * plus.sum(-1, true) - minus + phi[1] * minus.sum(-1, true), Tensor() };
        const double largest = std::exp(exponentBound) * (1 - 1e-6); // a bounded z has no gradient
        const auto outside = torch::logical_or(phi[0] >= largest, phi[1] >= largest);
        return { (plus - minus).masked_fill(outside, 0), Tensor() };
    }
};

/// (P,T,F) -> (P*J,C,F), the end filled with zeros, which as keys add nothing.
Tensor inChunks(const Tensor& x, std::int64_t C)
{
    const auto P = x.size(0), T = x.size(1), J = (T + C - 1) / C;
    const auto whole = T == J * C ? x.contiguous() : torch::constant_pad_nd(x, { 0, 0, 0, J * C - T });
    return whole.view({ P * J, C, x.size(2) });
}

/// Sums over the chunks before each one, (P,J,a,b) -> (P*J,a,b); `first` (P,a,b) stands before all of them.
Tensor sumsBefore(const Tensor& added, const Tensor& first)
{
    const auto list = torch::cat({ first.unsqueeze(1), added.narrow(1, 0, added.size(1) - 1) }, 1);
    return list.cumsum(1).flatten(0, 1);
}
Tensor sumsAfter(const Tensor& added)
{
    const auto none = torch::zeros_like(added.select(1, 0));
    return sumsBefore(added.flip(1), none).view_as(added).flip(1).flatten(0, 1);
}

Tensor forwardInChunks(const Tensor& q, const Tensor& k, const Tensor& v, Tensor* sums, std::int64_t chunk)
{
    const auto P = q.size(0), T = q.size(1), F = q.size(2), d = v.size(2);
    if (T == 1 && sums && sums->defined() && !torch::GradMode::is_enabled()) {
        sums->baddbmm_(k.transpose(1, 2), v);
        return torch::bmm(q, *sums);
    }
    const auto C = std::min(chunk, T), J = (T + C - 1) / C;
    const auto qc = inChunks(q, C), kc = inChunks(k, C), vc = inChunks(v, C);
    auto y = torch::bmm(torch::bmm(qc, kc.transpose(1, 2)).tril_(), vc); // (P*J,C,d)
    if (J > 1 || sums) {
        const auto added = torch::bmm(kc.transpose(1, 2), vc).view({ P, J, F, d });
        const bool carried = sums && sums->defined();
        const auto before = sumsBefore(added, carried ? *sums : torch::zeros_like(added.select(1, 0)));
        y.baddbmm_(qc, before);
        if (sums) *sums = before.view_as(added).select(1, J - 1) + added.select(1, J - 1);
    }
    return y.view({ P, J * C, d }).narrow(1, 0, T);
}

struct LinearFunction : torch::autograd::Function<LinearFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t chunk)
    {
        ctx->saved_data["chunk"] = chunk;
        ctx->save_for_backward({ q, k, v });
        return forwardInChunks(q, k, v, nullptr, chunk);
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto P = saved[0].size(0), T = saved[0].size(1), F = saved[0].size(2), d = saved[2].size(2);
        const auto C = std::min(ctx->saved_data["chunk"].toInt(), T), J = (T + C - 1) / C;
        const auto q = inChunks(saved[0], C), k = inChunks(saved[1], C), v = inChunks(saved[2], C),
                   g = inChunks(gradients[0], C);
        auto scores = torch::bmm(g, v.transpose(1, 2)).tril_(); // of the gradient: dq_i = sum_j (g_i . v_j) k_j
        auto dq = torch::bmm(scores, k), dk = torch::bmm(scores.transpose(1, 2), q);
        scores = torch::bmm(q, k.transpose(1, 2)).tril_();
        auto dv = torch::bmm(scores.transpose(1, 2), g);
        if (J > 1) {
            const auto shape = std::vector<std::int64_t> { P, J, F, d };
            const auto added = torch::bmm(k.transpose(1, 2), v).view(shape);
            dq.baddbmm_(g, sumsBefore(added, torch::zeros_like(added.select(1, 0))).transpose(1, 2));
            const auto after = sumsAfter(torch::bmm(q.transpose(1, 2), g).view(shape)); // of later queries
            dk.baddbmm_(v, after.transpose(1, 2));
            dv.baddbmm_(k, after);
        }
        const auto whole = [&](const Tensor& x) { return x.view({ P, J * C, x.size(2) }).narrow(1, 0, T); };
        return { whole(dq), whole(dk), whole(dv), Tensor() };
    }
};

} // namespace

Tensor featureMap(const Tensor& z, bool exponential) { return FeatureFunction::apply(z, exponential); }

Tensor causalLinear(const Tensor& q, const Tensor& k, const Tensor& v, Tensor* sums, std::int64_t chunk)
{
    return sums ? forwardInChunks(q, k, v, sums, chunk) : LinearFunction::apply(q, k, v, chunk);
}

Tensor linearAttention(const Tensor& q, const Tensor& k, const Tensor& v, Tensor* sums, std::int64_t chunk)
{
    const auto d = v.size(2);
    const auto y = causalLinear(q, k, torch::constant_pad_nd(v, { 0, 1 }, 1), sums, chunk); // the 1 counts the weights
    return y.narrow(2, 0, d) / (y.narrow(2, d, 1) + denominatorEps);
}

} // namespace pha
