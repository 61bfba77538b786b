// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/ops.h"

#include "engine/model/cpu_kernels.h"

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor project(const Tensor& x, const Tensor& w, torch::Dtype matrix, const Tensor& bias)
{
    const auto dtype = w.scalar_type() == torch::kDouble ? torch::kDouble : matrix;
    if (bias.defined()) return at::linear(x.to(dtype), w.to(dtype), bias.to(dtype));
    return at::linear(x.to(dtype), w.to(dtype));
}

namespace {

bool cpuFast(const Tensor& x)
{
    return x.is_cpu() && (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kBFloat16);
}

/// One pass forward, one pass backward; saves the input and one number a row.
struct RmsNormFunction : torch::autograd::Function<RmsNormFunction> {
    // An autograd function takes no undefined tensors: an empty gain stands for none.
    static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& gain, bool bf16, double eps)
    {
        auto rows = x.contiguous();
        auto [y, inverse] =
            rmsNormForwardCpu(rows, gain.numel() ? gain : Tensor(), bf16 ? torch::kBFloat16 : torch::kFloat, eps);
        ctx->save_for_backward({ rows, gain, inverse });
        return y;
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        auto [dx, dgain] =
            rmsNormBackwardCpu(gradients[0].contiguous(), saved[0], saved[1].numel() ? saved[1] : Tensor(), saved[2]);
        return { dx, dgain, Tensor(), Tensor() };
    }
};

struct SwigluFunction : torch::autograd::Function<SwigluFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& gate, const Tensor& up)
    {
        ctx->save_for_backward({ gate, up });
        return swigluForwardCpu(gate, up);
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        auto [dgate, dup] = swigluBackwardCpu(gradients[0].contiguous(), saved[0], saved[1]);
        return { dgate, dup };
    }
};

} // namespace

Tensor rmsNorm(const Tensor& x, const Tensor& gain, torch::Dtype out, double eps)
{
    const auto wide = x.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat;
    if (cpuFast(x) && (out == torch::kFloat || out == torch::kBFloat16)
        && (!gain.defined() || gain.scalar_type() == torch::kFloat))
        return RmsNormFunction::apply(x, gain.defined() ? gain : torch::empty({ 0 }), out == torch::kBFloat16, eps);
    const auto v = x.to(wide);
    auto y = v * (v.square().mean(-1, true) + eps).rsqrt();
    if (gain.defined()) y = y * gain;
    return y.to(wide == torch::kDouble ? torch::kDouble : out);
}

Tensor layerNorm(const Tensor& x, const Tensor& gain, const Tensor& bias, torch::Dtype out)
{
    const auto type = gain.scalar_type();
    return at::layer_norm(x.to(type), { x.size(-1) }, gain, bias, layerNormEps)
        .to(type == torch::kDouble ? torch::kDouble : out);
}

Tensor swiglu(const Tensor& gate, const Tensor& up)
{
    if (cpuFast(gate) && gate.is_contiguous() && up.is_contiguous()) return SwigluFunction::apply(gate, up);
    return at::silu(gate) * up;
}

Tensor dropout(const Tensor& x, double p, const c10::optional<at::Generator>& generator)
{
    if (p <= 0) return x;
    const auto mask = torch::empty(x.sizes(), x.options().requires_grad(false)).bernoulli_(1 - p, generator);
    return x * mask.div_(1 - p);
}

Rope ropeTables(std::int64_t first, std::int64_t count, std::int64_t headWidth, double base,
    const torch::Device& device, torch::Dtype dtype)
{
    const auto half = headWidth / 2;
    const auto f64 = torch::dtype(torch::kDouble).device(device); // positions beyond 10^4 lose digits in fp32
    const auto rates = torch::pow(base, torch::arange(half, f64) * (-2.0 / double(headWidth)));
    const auto angles = torch::outer(torch::arange(first, first + count, f64), rates); // (T, dh/2)
    return { torch::cos(angles).to(dtype).to(device), torch::sin(angles).to(dtype).to(device) };
}

Tensor applyRope(const Tensor& x, const Rope& rope)
{
    // Rounded once, at the end: in bf16 the cosine of a small angle would be 1 (models.md 2.3).
    const auto type = at::promote_types(x.scalar_type(), torch::kFloat);
    const auto parts = x.to(type).chunk(2, -1); // (B,T,H,dh/2) twice
    const auto c = rope.cosine.unsqueeze(1).to(type), s = rope.sine.unsqueeze(1).to(type);
    return torch::cat({ parts[0] * c - parts[1] * s, parts[0] * s + parts[1] * c }, -1).to(x.scalar_type());
}

} // namespace pha
