// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/cpu_kernels.h"
#include "engine/model/fused_cpu.h"
#include "engine/model/ops.h"
#include "engine/torch/torch_version.h"

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// Queries that are worked on at a time: small enough for the cache, large enough for matrix products.
constexpr std::int64_t blockQueries = 128;

bool onCpu(const Tensor& x) { return x.is_cpu() && x.scalar_type() != torch::kDouble; }

/// Row r of a block is query first + r % queries; keys after offset + first + r % queries are hidden.
Tensor hiddenKeys(std::int64_t rows, std::int64_t keys, std::int64_t queries, std::int64_t first, std::int64_t offset,
    const torch::Device& device)
{
    const auto query =
        torch::arange(rows, torch::dtype(torch::kLong).device(device)).remainder(queries) + (offset + first);
    return torch::arange(keys, torch::dtype(torch::kLong).device(device)).unsqueeze(0) > query.unsqueeze(1); // (R,K)
}

Tensor softmaxBlock(Tensor& s, std::int64_t queries, std::int64_t first, std::int64_t offset)
{
    if (onCpu(s)) return causalSoftmaxCpu(s, queries, first, offset);
    const auto wide = s.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat;
    const auto hidden = hiddenKeys(s.size(1), s.size(2), queries, first, offset, s.device());
    const auto scores = s.to(wide).masked_fill(hidden, -std::numeric_limits<double>::infinity());
    auto lse = scores.logsumexp(-1);
    s = (scores - lse.unsqueeze(-1)).exp().to(s.scalar_type());
    return lse;
}

void softmaxBlockBackward(Tensor& s, Tensor& dp, const Tensor& lse, const Tensor& delta, std::int64_t queries,
    std::int64_t first, std::int64_t offset)
{
    if (onCpu(s)) return causalSoftmaxBackwardCpu(s, dp, lse, delta, queries, first, offset);
    const auto wide = lse.scalar_type();
    const auto hidden = hiddenKeys(s.size(1), s.size(2), queries, first, offset, s.device());
    const auto p = (s.to(wide) - lse.unsqueeze(-1)).exp().masked_fill(hidden, 0);
    dp = (p * (dp.to(wide) - delta.unsqueeze(-1))).to(s.scalar_type());
    s = p.to(s.scalar_type());
}

/// (B,T,H,dh) -> (B*Hkv, G, T, dh)
Tensor byGroup(const Tensor& x, std::int64_t groups)
{
    const auto B = x.size(0), T = x.size(1), H = x.size(2), d = x.size(3);
    return x.view({ B, T, groups, H / groups, d }).permute({ 0, 2, 3, 1, 4 }).reshape({ B * groups, H / groups, T, d });
}
/// and back
Tensor byToken(const Tensor& x, std::int64_t batch)
{
    const auto groups = x.size(0) / batch, G = x.size(1), T = x.size(2), d = x.size(3);
    return x.view({ batch, groups, G, T, d }).permute({ 0, 3, 1, 2, 4 }).reshape({ batch, T, groups * G, d });
}

/// One block of queries (P,G,n,dh) against its keys (P,K,dh), flattened to (P, G n, dh).
Tensor rowsOf(const Tensor& x, std::int64_t first, std::int64_t count)
{
    return x.narrow(2, first, count).reshape({ x.size(0), x.size(1) * count, x.size(3) });
}

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& q4, const Tensor& k4, const Tensor& v4)
    {
        const auto B = q4.size(0), Tq = q4.size(1), Tk = k4.size(1), groups = k4.size(2), offset = Tk - Tq;
        const auto q = byGroup(q4.contiguous(), groups);
        const auto k = byGroup(k4.contiguous(), groups).squeeze(1), v = byGroup(v4.contiguous(), groups).squeeze(1);
        auto out = torch::empty_like(q);
        const auto wide = q.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat;
        auto lse = torch::empty({ q.size(0), q.size(1), Tq }, q.options().dtype(wide));
        for (std::int64_t first = 0; first < Tq; first += blockQueries) {
            const auto n = std::min(blockQueries, Tq - first), keys = offset + first + n;
            auto s = torch::bmm(rowsOf(q, first, n), k.narrow(1, 0, keys).transpose(1, 2)); // (P, G n, keys)
            const auto sums = softmaxBlock(s, n, first, offset);
            lse.narrow(2, first, n).copy_(sums.view({ q.size(0), q.size(1), n }));
            out.narrow(2, first, n)
                .copy_(torch::bmm(s, v.narrow(1, 0, keys)).view({ q.size(0), q.size(1), n, q.size(3) }));
        }
        ctx->saved_data["batch"] = B;
        ctx->save_for_backward({ q, k, v, out, lse });
        return byToken(out, B);
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4];
        const auto B = ctx->saved_data["batch"].toInt();
        const auto Tq = q.size(2), Tk = k.size(1), offset = Tk - Tq;
        const auto dout = byGroup(gradients[0].contiguous(), q.size(0) / B);
        const auto delta = (dout.to(lse.scalar_type()) * out.to(lse.scalar_type())).sum(-1); // (P,G,T)
        auto dq = torch::empty_like(q);
        auto dk = torch::zeros(k.sizes(), k.options().dtype(lse.scalar_type())), dv = torch::zeros_like(dk);
        for (std::int64_t first = 0; first < Tq; first += blockQueries) {
            const auto n = std::min(blockQueries, Tq - first), keys = offset + first + n;
            const auto qb = rowsOf(q, first, n), db = rowsOf(dout, first, n);
            const auto kb = k.narrow(1, 0, keys), vb = v.narrow(1, 0, keys);
            auto s = torch::bmm(qb, kb.transpose(1, 2)), dp = torch::bmm(db, vb.transpose(1, 2));
            const auto flat = [&](const Tensor& x) {
                return x.narrow(2, first, n).reshape({ q.size(0), q.size(1) * n });
            };
            softmaxBlockBackward(s, dp, flat(lse), flat(delta), n, first, offset);
            dv.narrow(1, 0, keys).add_(torch::bmm(s.transpose(1, 2), db));
            dk.narrow(1, 0, keys).add_(torch::bmm(dp.transpose(1, 2), qb));
            dq.narrow(2, first, n).copy_(torch::bmm(dp, kb).view({ q.size(0), q.size(1), n, q.size(3) }));
        }
        const auto type = q.scalar_type();
        return { byToken(dq, B), byToken(dk.to(type).unsqueeze(1), B), byToken(dv.to(type).unsqueeze(1), B) };
    }
};

} // namespace

Tensor causalAttention(const Tensor& q, const Tensor& k, const Tensor& v)
{
    if (hasFusedAttention(q.device()) && q.size(1) == k.size(1) && q.scalar_type() != torch::kDouble) {
        const auto heads = [](const Tensor& x) { return x.transpose(1, 2); };
        return heads(fusedCausalAttention(heads(q), heads(k), heads(v)));
    }
    if (fusedWanted() && q.is_cpu() && q.scalar_type() == torch::kFloat) return cpu::attention(q, k, v);
    return AttentionFunction::apply(q, k, v);
}

} // namespace pha
