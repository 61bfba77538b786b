// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/branches.h"
#include "engine/model/cpu_kernels.h"
#include "engine/model/watch.h"

#include <cmath>

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// Without a loop over time: log2(T) passes that combine neighbours at distance 1, 2, 4, ...
Tensor doublingScan(Tensor a, Tensor b)
{
    for (std::int64_t d = 1; d < a.size(1); d *= 2) {
        const auto n = a.size(1) - d;
        const auto tailA = a.narrow(1, d, n), tailB = b.narrow(1, d, n);
        b = torch::cat({ b.narrow(1, 0, d), tailB + tailA * b.narrow(1, 0, n) }, 1);
        a = torch::cat({ a.narrow(1, 0, d), tailA * a.narrow(1, 0, n) }, 1);
    }
    return b;
}

struct ScanFunction : torch::autograd::Function<ScanFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& a, const Tensor& b, const Tensor& start)
    {
        Tensor h;
        if (a.is_cpu()) {
            h = scanForwardCpu(a.contiguous(), b.contiguous(), start.contiguous());
        } else {
            auto first = b.clone();
            first.select(1, 0).add_(a.select(1, 0) * start);
            h = doublingScan(a, first);
        }
        ctx->save_for_backward({ a, h, start });
        return h;
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto &a = saved[0], &h = saved[1], &start = saved[2];
        const auto g = gradients[0].contiguous();
        Tensor L; // gradient of b
        if (a.is_cpu()) {
            L = scanBackwardCpu(a.contiguous(), g);
        } else {
            const auto T = a.size(1);
            const auto next = torch::cat({ a.narrow(1, 1, T - 1), torch::zeros_like(a.narrow(1, 0, 1)) }, 1);
            L = doublingScan(next.flip(1), g.flip(1)).flip(1);
        }
        const auto before = torch::cat({ start.unsqueeze(1), h.narrow(1, 0, h.size(1) - 1) }, 1);
        return { L * before, L, a.select(1, 0) * L.select(1, 0) };
    }
};

} // namespace

Tensor gatedScan(const Tensor& a, const Tensor& b, const Tensor& start) { return ScanFunction::apply(a, b, start); }

GatedRecurrenceBranch::GatedRecurrenceBranch(const ModelConfig& config)
{
    const auto D = config.width, Hs = config.gssHidden;
    gate_ = register_parameter("gate", torch::empty({ Hs, D }));
    gateBias_ = register_parameter("gate_bias", torch::empty({ Hs }));
    input_ = register_parameter("input", torch::empty({ Hs, D }));
    if (config.gssFilter) filter_ = register_parameter("filter", torch::empty({ Hs, D }));
    output_ = register_parameter("output", torch::empty({ D, Hs }));
    rho_ = register_parameter("rho", torch::empty({ Hs }));
}

bool GatedRecurrenceBranch::draw(const std::string& name, Tensor& p, Initialiser& random) const
{
    if (name == "gate_bias") return random.uniform(p, 0.9, 0.999), p.logit_(), true; // keeps the past from the start
    if (name == "rho") return random.uniform(p, -std::log(1000.0), 0), true; // -ln tau, tau log-uniform in [1, 1000]
    return false;
}

Tensor GatedRecurrenceBranch::forward(const Tensor& u, const Pass& pass, std::int64_t, BlockState* state)
{
    const auto type = rho_.scalar_type(); // the recurrence stays in fp32: bf16 states drift
    const auto g = torch::sigmoid(project(u, gate_, pass.matrix).to(type) + gateBias_); // (B,T,Hs)
    const auto v = project(u, input_, pass.matrix).to(type);
    const auto a = torch::exp(-torch::exp(rho_));
    const auto start = state && state->recurrent.defined()
        ? state->recurrent
        : torch::zeros({ u.size(0), a.size(0) }, v.options().requires_grad(false));
    if (pass.watch) pass.watch->recurrence(g * a, g * v);
    auto h = gatedScan(g * a, g * v, start);
    if (state) carry(state->recurrent, h.select(1, h.size(1) - 1));
    if (filter_.defined()) h = h * torch::silu(project(u, filter_, pass.matrix)).to(type);
    return project(h, output_, pass.matrix);
}

} // namespace pha
