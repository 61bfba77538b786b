// SPDX-License-Identifier: GPL-3.0-or-later
// Queries, keys and values, and attention of a single token.
#if PHA_HAS_KERNELS

#include "engine/model/fused_detail.h"
#include "engine/model/step_runner.h"

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

struct HeadsFunction : torch::autograd::Function<HeadsFunction> {
    static kernels::QueryKey shape(AutogradContext* ctx)
    {
        auto& d = ctx->saved_data;
        kernels::QueryKey p;
        p.rows = d["rows"].toInt(), p.context = d["context"].toInt();
        p.queryHeads = int(d["hq"].toInt()), p.kvHeads = int(d["hkv"].toInt()), p.headWidth = int(d["dh"].toInt());
        p.normed = d["normed"].toBool();
        p.eps = float(d["eps"].toDouble()), p.queryScale = float(d["scale"].toDouble());
        return p;
    }

    static variable_list forward(AutogradContext* ctx, const Tensor& u, const Tensor& query, const Tensor& key,
        const Tensor& value, const Tensor& headScale, const Tensor& copy, const Tensor& cosine, const Tensor& sine,
        HeadOptions o)
    {
        (void)query, (void)key, (void)value; // their gradients are what matters here, `copy` holds their values
        const auto B = u.size(0), T = u.size(1), heads = o.queryHeads + o.kvHeads;
        auto& d = ctx->saved_data;
        d["rows"] = B * T, d["context"] = T, d["hq"] = o.queryHeads, d["hkv"] = o.kvHeads, d["dh"] = o.headWidth;
        d["normed"] = o.normed, d["eps"] = o.eps, d["scale"] = o.queryScale;
        const auto rows = bf16Rows(u);
        const auto all = matrixProduct(rows, copy);
        auto p = shape(ctx);
        const auto inverse = torch::empty({ o.normed ? B * T * heads : 0 }, u.options().dtype(torch::kFloat));
        p.qkv = raw(all), p.cosine = floats(cosine), p.sine = floats(sine), p.headScale = floats(headScale);
        p.inverse = floats(inverse);
        kernels::queryKeyForward(p, stream());
        ctx->save_for_backward({ rows, copy, all, inverse, headScale, cosine, sine });
        // Three tensors on one memory, not views: autograd would treat views of one tensor as one.
        const at::AutoDispatchBelowADInplaceOrView guard;
        const auto split = all.view({ B, T, heads + o.kvHeads, o.headWidth });
        return { split.narrow(2, 0, o.queryHeads), split.narrow(2, o.queryHeads, o.kvHeads),
            split.narrow(2, heads, o.kvHeads) };
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto &rows = saved[0], &copy = saved[1], &all = saved[2], &headScale = saved[4];
        auto p = shape(ctx);
        std::vector<Tensor> d;
        for (const auto& g : gradients) d.push_back(g.to(torch::kBFloat16).contiguous());
        const auto dall = torch::empty_like(all);
        const bool scaled = headScale.numel() > 0;
        const auto dscale =
            scaled ? torch::empty({ p.rows, p.queryHeads }, headScale.options().requires_grad(false)) : Tensor();
        p.qkv = raw(all), p.inverse = floats(saved[3]), p.headScale = floats(headScale);
        p.cosine = floats(saved[5]), p.sine = floats(saved[6]);
        p.dq = raw(d[0]), p.dk = raw(d[1]), p.dv = raw(d[2]), p.dqkv = raw(dall), p.dheadScale = floats(dscale);
        kernels::queryKeyBackward(p, stream());
        const auto dw = weightGradient(dall, rows);
        const auto q = std::int64_t(p.queryHeads) * p.headWidth, k = std::int64_t(p.kvHeads) * p.headWidth;
        const auto du = torch::mm(dall, copy).view({ gradients[0].size(0), gradients[0].size(1), copy.size(1) });
        return { du, dw.narrow(0, 0, q), dw.narrow(0, q, k), dw.narrow(0, q + k, k), scaled ? dscale.sum(0) : Tensor(),
            Tensor(), Tensor(), Tensor(), Tensor() };
    }
};

} // namespace

namespace card {

StepDevice stepDevice()
{
    return { kernels::stepProcessors(), [](const kernels::StepLaunch& launch) { kernels::step(launch, stream()); } };
}

bool queryKeysFit(std::int64_t headWidth) { return kernels::queryKeyFits(headWidth); }

QueryKeyValue fusedQueryKeyValue(const Tensor& u, const Tensor& query, const Tensor& key, const Tensor& value,
    const Tensor& headScale, const Rope& rope, const HeadOptions& options, const Pass& pass)
{
    const auto out = HeadsFunction::apply(u, query, key, value, orEmpty(headScale, u),
        pass.cache->stacked({ query, key, value }), orEmpty(rope.cosine, u), orEmpty(rope.sine, u), options);
    return { out[0], out[1], out[2] };
}

} // namespace card

Tensor fusedDecodeAttention(
    const Tensor& qkv, std::int64_t queryHeads, Tensor& keys, Tensor& values, const Tensor& place)
{
    kernels::DecodeAttention p;
    p.batch = keys.size(0), p.room = keys.size(1), p.kvHeads = int(keys.size(2)), p.headWidth = int(keys.size(3));
    p.queryHeads = int(queryHeads);
    const auto out = torch::empty({ p.batch, 1, queryHeads, keys.size(3) }, keys.options());
    const auto partial = torch::empty(
        { p.batch * queryHeads * kernels::decodeSplits * (keys.size(3) + 2) }, keys.options().dtype(torch::kFloat));
    p.position = place.data_ptr<std::int64_t>();
    p.qkv = raw(qkv), p.keys = raw(keys), p.values = raw(values), p.out = raw(out), p.partial = floats(partial);
    kernels::decodeAttention(p, stream());
    return out;
}

} // namespace pha

#endif
