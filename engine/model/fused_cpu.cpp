// SPDX-License-Identifier: GPL-3.0-or-later
// The residual stream, attention and its projection.
#include "engine/model/fused_cpu.h"

namespace pha::cpu {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// (stream x, branches, weights, gain) -> x1 unless there are no branches, y unless there is no gain.
struct NormFunction : torch::autograd::Function<NormFunction> {
    static ResidualNorm shape(AutogradContext* ctx)
    {
        auto& d = ctx->saved_data;
        ResidualNorm p {};
        p.rows = d["rows"].toInt(), p.width = d["width"].toInt(), p.branches = int(d["branches"].toInt());
        p.normed = d["normed"].toBool(), p.tokenWeights = d["token"].toBool();
        p.alpha = float(d["alpha"].toDouble()), p.beta = float(d["beta"].toDouble());
        p.eps = p.branchEps = float(normEps);
        return p;
    }

    static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& z0, const Tensor& z1,
        const Tensor& z2, const Tensor& weights, const Tensor& gain, bool normed, double alpha, double beta)
    {
        std::vector<Tensor> z;
        for (const auto& t : { z0, z1, z2 })
            if (t.numel()) z.push_back(t.contiguous());
        const auto rows = x.numel() / x.size(-1), K = std::int64_t(z.size());
        auto& d = ctx->saved_data;
        d["rows"] = rows, d["width"] = x.size(-1), d["branches"] = K, d["normed"] = normed;
        d["alpha"] = alpha, d["beta"] = beta, d["token"] = weights.dim() > 1;
        d["dweights"] = weights.numel() > 0 && weights.requires_grad();
        auto p = shape(ctx);
        const auto in = x.contiguous(), scales = weights.contiguous();
        const auto x1 = K ? torch::empty_like(in) : in;
        const bool normal = gain.numel() > 0;
        const auto y = normal ? torch::empty_like(in) : Tensor();
        const auto inverse = torch::empty({ normal ? rows : 0 }),
                   branchInverse = torch::empty({ normed ? rows * K : 0 });
        p.x = floats(in), p.x1 = floats(x1), p.y = floats(y), p.gain = floats(gain), p.weights = floats(scales);
        p.inverse = floats(inverse), p.branchInverse = floats(branchInverse);
        for (std::size_t k = 0; k < z.size(); ++k) p.z[k] = floats(z[k]);
        inParallel(rows, p.width * (2 * K + 2),
            [&](std::int64_t from, std::int64_t to) { kernels().residualNormForward(p, from, to); });
        variable_list saved { normal ? x1 : orEmpty({}), gain, inverse, branchInverse, scales };
        const bool needed = normed || d["dweights"].toBool();
        for (const auto& t : z) saved.push_back(needed ? t : orEmpty({}));
        ctx->save_for_backward(saved);
        d["sizes"] = x.sizes().vec();
        if (!normal) return { x1 };
        return K ? variable_list { x1, y } : variable_list { y };
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto &x1 = saved[0], &gain = saved[1];
        auto p = shape(ctx);
        const auto K = std::size_t(p.branches);
        const auto dx1 = K && gradients[0].defined() ? gradients[0].contiguous() : Tensor();
        const auto given = gain.numel() ? gradients.back() : Tensor();
        const auto dy = given.defined() ? given.contiguous() : Tensor();
        const auto sizes = ctx->saved_data["sizes"].toIntVector();
        const auto dx = torch::empty(sizes);
        const auto dgain = dy.defined() ? torch::empty({ normParts, p.width }) : Tensor();
        const bool wantsWeights = ctx->saved_data["dweights"].toBool();
        const auto dweights = wantsWeights ? torch::empty({ p.rows, p.branches }) : Tensor();
        std::vector<Tensor> dz;
        for (std::size_t k = 0; k < K; ++k) {
            dz.push_back(torch::empty(sizes));
            p.z[k] = floats(saved[5 + k]);
            p.dz[k] = floats(dz[k]);
        }
        p.x1 = floats(x1), p.gain = floats(gain), p.inverse = floats(saved[2]), p.branchInverse = floats(saved[3]);
        p.weights = floats(saved[4]), p.dx1 = floats(dx1), p.dy = floats(dy), p.dx = floats(dx);
        p.dgain = floats(dgain), p.dweights = floats(dweights);
        inParallel(normParts, (p.rows + normParts - 1) / normParts * p.width * 4,
            [&](std::int64_t from, std::int64_t to) { kernels().residualNormBackward(p, from, to); });
        dz.resize(3);
        Tensor dw;
        if (wantsWeights) dw = p.tokenWeights ? dweights.view(saved[4].sizes()) : dweights.sum(0);
        return { dx, dz[0], dz[1], dz[2], dw, dgain.defined() ? dgain.sum(0) : Tensor(), Tensor(), Tensor(), Tensor() };
    }
};

/// Queries, keys and values from one product. Keeps them as attention sees them; what the norm and the rotation did is
/// undone from there.
struct HeadsFunction : torch::autograd::Function<HeadsFunction> {
    static Heads shape(AutogradContext* ctx)
    {
        auto& d = ctx->saved_data;
        Heads p {};
        p.rows = d["rows"].toInt(), p.context = d["context"].toInt();
        p.queryHeads = d["hq"].toInt(), p.kvHeads = d["hkv"].toInt(), p.headWidth = d["dh"].toInt();
        p.normed = d["normed"].toBool();
        p.eps = float(d["eps"].toDouble()), p.queryScale = float(d["scale"].toDouble());
        return p;
    }

    static variable_list forward(AutogradContext* ctx, const Tensor& u, const Tensor& query, const Tensor& key,
        const Tensor& value, const Tensor& headScale, const Tensor& cosine, const Tensor& sine, HeadOptions o)
    {
        const auto B = u.size(0), T = u.size(1), turned = o.queryHeads + o.kvHeads, heads = turned + o.kvHeads;
        auto& d = ctx->saved_data;
        d["rows"] = B * T, d["context"] = T, d["hq"] = o.queryHeads, d["hkv"] = o.kvHeads, d["dh"] = o.headWidth;
        d["normed"] = o.normed, d["eps"] = o.eps, d["scale"] = o.queryScale;
        const auto rows = rowsOf(u);
        // The copy is small beside the product, and one wide product is faster than three.
        const auto all = fewRowsFit(rows, query)
            ? torch::cat({ matrixProduct(rows, query), matrixProduct(rows, key), matrixProduct(rows, value) }, 1)
            : productOf(rows, torch::cat({ query, key, value }).t());
        auto p = shape(ctx);
        const auto inverse = torch::empty({ o.normed ? B * T * turned : 0 });
        p.qkv = floats(all), p.cosine = floats(cosine), p.sine = floats(sine), p.headScale = floats(headScale);
        p.inverse = floats(inverse);
        inParallel(p.rows, turned * o.headWidth * 2,
            [&](std::int64_t from, std::int64_t to) { kernels().headsForward(p, from, to); });
        ctx->save_for_backward({ rows, query, key, value, all, inverse, headScale, cosine, sine });
        // Three tensors on one memory, not views: autograd would treat views of one tensor as one.
        const at::AutoDispatchBelowADInplaceOrView guard;
        const auto split = all.view({ B, T, heads, o.headWidth });
        return { split.narrow(2, 0, o.queryHeads), split.narrow(2, o.queryHeads, o.kvHeads),
            split.narrow(2, turned, o.kvHeads) };
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto &rows = saved[0], &all = saved[4], &headScale = saved[6];
        auto p = shape(ctx);
        for (auto& g : gradients) g = g.contiguous();
        const auto dall = torch::empty_like(all);
        const bool scaled = headScale.numel() > 0;
        const auto dscale = scaled ? torch::empty({ p.rows, p.queryHeads }) : Tensor();
        p.qkv = floats(all), p.inverse = floats(saved[5]), p.headScale = floats(headScale);
        p.cosine = floats(saved[7]), p.sine = floats(saved[8]);
        p.dq = floats(gradients[0]), p.dk = floats(gradients[1]), p.dv = floats(gradients[2]), p.dqkv = floats(dall);
        p.dheadScale = floats(dscale);
        inParallel(
            p.rows, all.size(1) * 2, [&](std::int64_t from, std::int64_t to) { kernels().headsBackward(p, from, to); });
        const auto dw = productOf(dall.t(), rows);
        const auto q = p.queryHeads * p.headWidth, k = p.kvHeads * p.headWidth;
        const auto du = productOf(dall, torch::cat({ saved[1], saved[2], saved[3] }))
                            .view({ gradients[0].size(0), gradients[0].size(1), rows.size(1) });
        return { du, dw.narrow(0, 0, q), dw.narrow(0, q, k), dw.narrow(0, q + k, k), scaled ? dscale.sum(0) : Tensor(),
            Tensor(), Tensor(), Tensor() };
    }
};

/// With heads of a token side by side, as the loops want them.
Tensor bySide(const Tensor& x)
{
    return x.stride(3) == 1 && (x.size(2) == 1 || x.stride(2) == x.size(3)) ? x : x.contiguous();
}

struct AttentionFunction : torch::autograd::Function<AttentionFunction> {
    static Attention shape(const Tensor& q, const Tensor& k, const Tensor& v)
    {
        Attention p {};
        p.batch = q.size(0), p.queries = q.size(1), p.keys = k.size(1), p.queryHeads = q.size(2);
        p.kvHeads = k.size(2), p.headWidth = q.size(3);
        p.q = floats(q), p.k = floats(k), p.v = floats(v);
        p.qToken = q.stride(1), p.kToken = k.stride(1), p.vToken = v.stride(1);
        p.qText = q.stride(0), p.kText = k.stride(0), p.vText = v.stride(0);
        // Enough tasks for a few threads even of one text with one shared head. Not a matter of the threads that there
        // are: sums would depend on their number.
        p.parts = p.batch * p.kvHeads < 4 ? p.queryHeads / p.kvHeads : 1;
        return p;
    }

    static Tensor forward(AutogradContext* ctx, const Tensor& q0, const Tensor& k0, const Tensor& v0, bool gradient)
    {
        const auto q = bySide(q0), k = bySide(k0), v = bySide(v0);
        auto p = shape(q, k, v);
        const auto out = torch::empty({ p.batch, p.queries, p.queryHeads, p.headWidth });
        const auto lse = torch::empty({ gradient ? p.batch * p.queryHeads * p.queries : 0 });
        p.out = floats(out), p.lse = floats(lse);
        const auto tasks = attentionTasks(p);
        inParallel(tasks, p.batch * p.queries * p.keys * p.queryHeads * p.headWidth / std::max<std::int64_t>(1, tasks),
            [&](std::int64_t from, std::int64_t to) {
                const auto scratch = torch::empty({ attentionScratch(p, false) });
                kernels().attentionForward(p, from, to, floats(scratch));
            });
        if (gradient) ctx->save_for_backward({ q, k, v, out, lse });
        return out;
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        auto p = shape(saved[0], saved[1], saved[2]);
        const auto dout = gradients[0].contiguous();
        const auto dq = torch::empty({ p.batch, p.queries, p.queryHeads, p.headWidth });
        const auto dk = torch::empty({ p.batch, p.keys, p.parts, p.kvHeads, p.headWidth }), dv = torch::empty_like(dk);
        p.out = floats(saved[3]), p.lse = floats(saved[4]), p.dout = floats(dout);
        p.dq = floats(dq), p.dk = floats(dk), p.dv = floats(dv);
        at::parallel_for(0, attentionBackwardTasks(p), 1, [&](std::int64_t from, std::int64_t to) {
            const auto scratch = torch::empty({ attentionScratch(p, true) });
            kernels().attentionBackward(p, from, to, floats(scratch));
        });
        const auto joined = [&](const Tensor& x) { return p.parts == 1 ? x.squeeze(2) : x.sum(2); };
        return { dq, joined(dk), joined(dv), Tensor() };
    }
};

} // namespace

Tensor norm(Tensor& x, Update& update, const Tensor& gain)
{
    const auto z = [&](std::size_t k) { return k < update.z.size() ? update.z[k] : orEmpty({}); };
    const auto out = NormFunction::apply(
        x, z(0), z(1), z(2), orEmpty(update.weights), orEmpty(gain), update.normed, update.alpha, update.beta);
    if (!update.z.empty()) x = out[0];
    update = {};
    return gain.defined() ? out.back() : Tensor();
}

QueryKeyValue queryKeyValue(const Tensor& u, const Tensor& query, const Tensor& key, const Tensor& value,
    const Tensor& headScale, const Rope& rope, const HeadOptions& options)
{
    const auto out = HeadsFunction::apply(
        u, query, key, value, orEmpty(headScale), orEmpty(rope.cosine), orEmpty(rope.sine), options);
    return { out[0], out[1], out[2] };
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v)
{
    return AttentionFunction::apply(q, k, v, torch::GradMode::is_enabled());
}

} // namespace pha::cpu
