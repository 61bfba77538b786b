// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/recompute.h"

#include "engine/model/ops.h"
#include "engine/torch/torch_version.h"

#include <torch/custom_class.h>

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

struct Work : torch::CustomClassHolder {
    std::function<Tensor(const Tensor&)> f;
    c10::optional<at::Generator> generator;
    Tensor before; ///< state of the generator
};

struct RecomputeFunction : torch::autograd::Function<RecomputeFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& x, const c10::intrusive_ptr<Work>& work)
    {
        if (work->generator) work->before = work->generator->get_state();
        ctx->save_for_backward({ x });
        ctx->saved_data["work"] = c10::IValue::make_capsule(work);
        return work->f(x);
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto work = c10::static_intrusive_pointer_cast<Work>(ctx->saved_data["work"].toCapsule());
        auto x = ctx->get_saved_variables()[0].detach().requires_grad_();
        Tensor now;
        if (work->generator) {
            now = work->generator->get_state();
            work->generator->set_state(work->before);
        }
        Tensor y;
        {
            const torch::AutoGradMode on(true);
            y = work->f(x);
        }
        if (work->generator) work->generator->set_state(now);
        torch::autograd::backward({ y }, { gradients[0] });
        return { x.grad(), Tensor() };
    }
};

} // namespace

Tensor recomputed(
    const std::function<Tensor(const Tensor&)>& f, const Tensor& x, const c10::optional<at::Generator>& generator)
{
    auto work = c10::make_intrusive<Work>();
    work->f = f;
    work->generator = generator;
    return RecomputeFunction::apply(x, work);
}

#if PHA_TORCH_AT_LEAST(2, 6)

namespace {

/// Attention whose forward pass has been done: `kept` is what the kernel returned then, all but the output of q, k, v.
struct KnownAttention : torch::autograd::Function<KnownAttention> {
    static Tensor forward(AutogradContext* ctx, const Tensor& q, const Tensor& k, const Tensor& v,
        const std::vector<Tensor>& kept, const std::vector<std::int64_t>& numbers)
    {
        ctx->save_for_backward({ q, k, v, kept[0], kept[1], kept[4], kept[5] });
        ctx->saved_data["numbers"] = numbers;
        return kept[0].alias();
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto s = ctx->get_saved_variables();
        const auto numbers = ctx->saved_data["numbers"].toIntVector();
        const auto [dq, dk, dv] = at::_scaled_dot_product_cudnn_attention_backward(
            gradients[0], s[0], s[1], s[2], s[3], s[4], s[5], s[6], {}, {}, {}, numbers[0], numbers[1], 0.0, true, 1.0);
        return { dq, dk, dv, Tensor(), Tensor() };
    }
};

} // namespace

Tensor KeptAttention::operator()(const Tensor& q4, const Tensor& k4, const Tensor& v4)
{
    if (!cudnnAttentionFits(q4) || q4.size(1) != k4.size(1)) return causalAttention(q4, k4, v4);
    const auto q = q4.transpose(1, 2), k = k4.transpose(1, 2), v = v4.transpose(1, 2);
    if (next_ == kept_.size()) { // the first time: without gradients, and so asked for the sums by name
        const auto done = unlessCudnnLacks(
            [&] { return at::_scaled_dot_product_cudnn_attention(q, k, v, {}, true, 0.0, true, false, 1.0); });
        if (!done) return causalAttention(q4, k4, v4);
        const auto& [out, sums, cumQ, cumK, maxQ, maxK, seed, offset, mask] = *done;
        kept_.push_back({ out, sums, cumQ, cumK, seed, offset });
        numbers_.push_back({ maxQ.guard_int(__FILE__, __LINE__), maxK.guard_int(__FILE__, __LINE__) });
        ++next_;
        return out.transpose(1, 2);
    }
    const auto at = next_++;
    return KnownAttention::apply(q, k, v, kept_[at], numbers_[at]).transpose(1, 2);
}

#else

Tensor KeptAttention::operator()(const Tensor& q, const Tensor& k, const Tensor& v) { return causalAttention(q, k, v); }

#endif

} // namespace pha
