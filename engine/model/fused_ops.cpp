// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/fused_ops.h"

#include "engine/model/device_cache.h"
#include "engine/system/torch_version.h"

#include <atomic>

#if PHA_HAS_KERNELS

#include "engine/model/cuda/kernels.h"

#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

std::atomic<bool> wanted { true };

kernels::Stream stream() { return at::cuda::getCurrentCUDAStream().stream(); }
float* floats(const Tensor& t) { return t.defined() && t.numel() ? t.data_ptr<float>() : nullptr; }
void* raw(const Tensor& t) { return t.defined() && t.numel() ? t.data_ptr() : nullptr; }
/// An autograd function takes no undefined tensors: an empty one stands for none.
Tensor orEmpty(const Tensor& t, const Tensor& like)
{
    return t.defined() ? t : torch::empty({ 0 }, like.options().dtype(torch::kFloat).requires_grad(false));
}
Tensor rowsOf(const Tensor& x) { return x.reshape({ -1, x.size(-1) }); }
Tensor bf16Rows(const Tensor& x) { return rowsOf(x).to(torch::kBFloat16).contiguous(); }
std::vector<std::int64_t> withLast(const Tensor& x, std::int64_t last)
{
    auto sizes = x.sizes().vec();
    sizes.back() = last;
    return sizes;
}
/// Partial sums that a kernel leaves behind, one row a block.
Tensor partials(const Tensor& like, std::int64_t width)
{
    return torch::empty({ kernels::residualNormBlocks(), width }, like.options().dtype(torch::kFloat));
}
/// dW = dy^T x with an fp32 result. dy (R,out), x (R,in).
Tensor weightGradient(const Tensor& dy, const Tensor& x) { return multiplyToFloat(dy.t(), x); }

bool fusable(const Tensor& x, torch::Dtype matrix, const DeviceCache* cache)
{
    return wanted && cache && x.is_cuda() && matrix == torch::kBFloat16 && x.scalar_type() != torch::kDouble;
}

struct ProjectFunction : torch::autograd::Function<ProjectFunction> {
    static Tensor forward(
        AutogradContext* ctx, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& copy)
    {
        const auto rows = bf16Rows(x);
        ctx->save_for_backward({ rows, copy });
        ctx->saved_data["bias"] = bias.numel() > 0;
        ctx->saved_data["wide"] = x.scalar_type() == torch::kFloat;
        auto y = bias.numel() ? torch::addmm(bias.to(torch::kBFloat16), rows, copy.t()) : torch::mm(rows, copy.t());
        return y.view(withLast(x, w.size(0)));
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto dy = bf16Rows(gradients[0]);
        auto dx = torch::mm(dy, saved[1]).view(withLast(gradients[0], saved[1].size(1)));
        if (ctx->saved_data["wide"].toBool()) dx = dx.to(torch::kFloat);
        const auto dbias = ctx->saved_data["bias"].toBool() ? dy.sum(0, false, torch::kFloat) : Tensor();
        return { dx, weightGradient(dy, saved[0]), dbias, Tensor() };
    }
};

/// Seed and offset of `count` random numbers per element, as LibTorch's own kernels take them.
std::pair<std::uint64_t, std::uint64_t> drawSeed(const c10::optional<at::Generator>& generator)
{
    auto* own = at::get_generator_or_default<at::CUDAGeneratorImpl>(
        generator, at::cuda::detail::getDefaultCUDAGenerator());
    const std::lock_guard lock(own->mutex_);
    return own->philox_engine_inputs(4);
}

/// (stream x, K branches, weights, gain) -> x1 unless there are no branches, y unless there is no gain.
struct NormFunction : torch::autograd::Function<NormFunction> {
    static kernels::ResidualNorm shape(AutogradContext* ctx)
    {
        auto& d = ctx->saved_data;
        kernels::ResidualNorm p;
        p.rows = d["rows"].toInt();
        p.width = int(d["width"].toInt());
        p.branches = int(d["branches"].toInt());
        p.normed = d["normed"].toBool();
        p.alpha = float(d["alpha"].toDouble());
        p.beta = float(d["beta"].toDouble());
        p.keep = float(d["keep"].toDouble());
        p.seed = std::uint64_t(d["seed"].toInt());
        p.offset = std::uint64_t(d["offset"].toInt());
        p.tokenWeights = d["token"].toBool();
        p.eps = p.branchEps = float(normEps);
        return p;
    }

    static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& z0, const Tensor& z1,
        const Tensor& z2, const Tensor& weights, const Tensor& gain, bool normed, double alpha, double beta,
        double dropout, c10::optional<at::Generator> generator)
    {
        const std::vector<Tensor> given { z0, z1, z2 };
        std::vector<Tensor> z;
        for (const auto& t : given)
            if (t.numel()) z.push_back(t.contiguous());
        const auto rows = x.numel() / x.size(-1), K = std::int64_t(z.size());
        auto& d = ctx->saved_data;
        d["rows"] = rows, d["width"] = x.size(-1), d["branches"] = K, d["normed"] = normed;
        d["alpha"] = alpha, d["beta"] = beta, d["keep"] = 1 - dropout, d["token"] = weights.dim() > 1;
        const auto [seed, offset] = dropout > 0 ? drawSeed(generator) : std::pair<std::uint64_t, std::uint64_t>();
        d["seed"] = std::int64_t(seed), d["offset"] = std::int64_t(offset);

        auto p = shape(ctx);
        const auto in = x.contiguous();
        const auto fp32 = x.options().dtype(torch::kFloat);
        const auto x1 = K ? torch::empty_like(in) : in;
        const bool normal = gain.numel() > 0;
        const auto y = normal ? torch::empty(x.sizes(), x.options().dtype(torch::kBFloat16)) : Tensor();
        const auto inverse = torch::empty({ normal ? rows : 0 }, fp32),
                   branchInverse = torch::empty({ normed ? rows * K : 0 }, fp32);
        const auto scales = weights.contiguous();
        p.x = floats(in), p.x1 = floats(x1), p.y = raw(y), p.gain = floats(gain), p.weights = floats(scales);
        p.inverse = floats(inverse), p.branchInverse = floats(branchInverse);
        for (std::size_t k = 0; k < z.size(); ++k) p.z[k] = raw(z[k]);
        kernels::residualNormForward(p, stream());
        variable_list saved { normal ? x1 : orEmpty({}, x), gain, inverse, branchInverse, scales };
        const bool needed = normed || (weights.numel() && weights.requires_grad());
        for (const auto& t : z) saved.push_back(needed ? t : orEmpty({}, x));
        d["dweights"] = weights.numel() > 0 && weights.requires_grad();
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
        const auto dyGiven = gain.numel() ? gradients.back() : Tensor();
        const auto dy = dyGiven.defined() ? dyGiven.contiguous() : Tensor();
        const auto fp32 = gain.options().dtype(torch::kFloat).requires_grad(false);
        const auto sizes = ctx->saved_data["sizes"].toIntVector();
        const auto dx = torch::empty(sizes, fp32);
        const auto dgain = dy.defined() ? partials(gain, p.width) : Tensor();
        const bool wantsWeights = ctx->saved_data["dweights"].toBool();
        const auto dweights =
            wantsWeights ? torch::empty({ p.rows, p.branches }, fp32) : Tensor();
        std::vector<Tensor> dz;
        for (std::size_t k = 0; k < K; ++k) {
            dz.push_back(torch::empty(sizes, fp32.dtype(torch::kBFloat16)));
            p.z[k] = raw(saved[5 + k]);
            p.dz[k] = raw(dz[k]);
        }
        p.x1 = floats(x1), p.gain = floats(gain), p.inverse = floats(saved[2]), p.branchInverse = floats(saved[3]);
        p.weights = floats(saved[4]), p.dx1 = floats(dx1), p.dy = raw(dy), p.dx = floats(dx);
        p.dgain = floats(dgain), p.dweights = floats(dweights);
        kernels::residualNormBackward(p, stream());
        dz.resize(kernels::mostBranches);
        Tensor dw;
        if (wantsWeights) dw = p.tokenWeights ? dweights.view(saved[4].sizes()) : dweights.sum(0);
        return { dx, dz[0], dz[1], dz[2], dw, dgain.defined() ? dgain.sum(0) : Tensor(), Tensor(), Tensor(), Tensor(),
            Tensor(), Tensor() };
    }
};

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
        const auto all = torch::mm(rows, copy.t());
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

kernels::Activation activationOf(const std::string& kind)
{
    return kind == "swiglu"      ? kernels::Activation::SwiGlu
        : kind == "gelu"         ? kernels::Activation::Gelu
        : kind == "gelu_tanh"    ? kernels::Activation::GeluTanh
                                 : kernels::Activation::Relu2;
}

/// Keeps its input and the hidden layer before the activation; the activation itself is formed again.
struct FeedForwardFunction : torch::autograd::Function<FeedForwardFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& u, const Tensor& gate, const Tensor& up,
        const Tensor& down, const Tensor& in, const Tensor& out, const std::string& kind)
    {
        const auto rows = bf16Rows(u);
        const auto hidden = torch::mm(rows, in.t());
        const auto F = down.size(1);
        const auto active = torch::empty({ rows.size(0), F }, rows.options());
        kernels::activationForward(activationOf(kind), raw(hidden), raw(active), rows.size(0), F, stream());
        ctx->save_for_backward({ rows, hidden, in, out });
        ctx->saved_data["kind"] = kind;
        ctx->saved_data["gate"] = gate.size(0) * std::int64_t(gate.numel() > 0);
        ctx->saved_data["up"] = up.size(0);
        return torch::mm(active, out.t()).view(withLast(u, out.size(0)));
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

struct SpectrumFunction : torch::autograd::Function<SpectrumFunction> {
    static kernels::Spectrum shape(const variable_list& in)
    {
        kernels::Spectrum p;
        p.channels = int(in[1].size(0)), p.states = int(in[1].size(1));
        p.logDt = floats(in[0]), p.logARe = floats(in[1]), p.aIm = floats(in[2]), p.cRe = floats(in[3]);
        p.cIm = floats(in[4]);
        return p;
    }
    static variable_list forward(AutogradContext* ctx, const Tensor& logDt, const Tensor& logARe, const Tensor& aIm,
        const Tensor& cRe, const Tensor& cIm)
    {
        const variable_list in { logDt, logARe, aIm, cRe, cIm };
        auto p = shape(in);
        variable_list out;
        for (auto& to : p.out) to = floats(out.emplace_back(torch::empty_like(logARe)));
        kernels::spectrumForward(p, stream());
        ctx->save_for_backward(in);
        return out;
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto in = ctx->get_saved_variables();
        auto p = shape(in);
        for (std::size_t i = 0; i < 4; ++i) {
            gradients[i] = gradients[i].contiguous();
            p.dout[i] = floats(gradients[i]);
        }
        variable_list out;
        for (const auto& x : in) out.push_back(torch::empty_like(x));
        p.dlogDt = floats(out[0]), p.dlogARe = floats(out[1]), p.daIm = floats(out[2]), p.dcRe = floats(out[3]);
        p.dcIm = floats(out[4]);
        kernels::spectrumBackward(p, stream());
        return out;
    }
};

/// Keeps its input, the input projection and the state space's output; what is wide and cheap is formed again.
struct GssFunction : torch::autograd::Function<GssFunction> {
    static kernels::Scan scan(const Tensor& x, const variable_list& space, const Tensor& skip)
    {
        kernels::Scan p;
        p.batch = x.size(0), p.length = x.size(1), p.channels = int(x.size(2)), p.states = int(space[0].size(1));
        p.u = floats(x), p.skip = floats(skip);
        p.lambdaRe = floats(space[0]), p.lambdaIm = floats(space[1]), p.cRe = floats(space[2]), p.cIm = floats(space[3]);
        return p;
    }

    static Tensor forward(AutogradContext* ctx, const Tensor& u, const Tensor& value, const Tensor& input,
        const Tensor& expand, const Tensor& output, const Tensor& gain, const Tensor& skip, const Tensor& lambdaRe,
        const Tensor& lambdaIm, const Tensor& cRe, const Tensor& cIm, const Tensor& in, const Tensor& wide,
        const Tensor& out, const Tensor& startRe, const Tensor& startIm, const Tensor& endRe, const Tensor& endIm,
        bool gradient)
    {
        (void)expand, (void)output;
        const auto B = u.size(0), T = u.size(1), E = value.size(0), h = input.size(0), P = lambdaRe.size(1), R = B * T;
        const auto rows = bf16Rows(u);
        const auto projected = torch::mm(rows, in.t()); // (R, E + h)
        const auto fp32 = u.options().dtype(torch::kFloat);
        const auto x = torch::empty({ B, T, h }, fp32), inverse = torch::empty({ R }, fp32);
        kernels::gssInputForward(
            raw(projected), floats(gain), floats(x), floats(inverse), R, E, h, float(normEps), stream());
        const auto y = torch::empty({ R, h }, rows.options());
        const auto spans = gradient ? (T + kernels::scanSpan - 1) / kernels::scanSpan : 0;
        const auto savedRe = torch::empty({ B * spans * h * P }, fp32), savedIm = torch::empty_like(savedRe);
        const variable_list space { lambdaRe.contiguous(), lambdaIm.contiguous(), cRe.contiguous(), cIm.contiguous() };
        auto p = scan(x, space, skip);
        p.startRe = floats(startRe), p.startIm = floats(startIm), p.endRe = floats(endRe), p.endIm = floats(endIm);
        p.savedRe = floats(savedRe), p.savedIm = floats(savedIm), p.y = raw(y);
        kernels::scanForward(p, stream());
        const auto expanded = torch::mm(y, wide.t()); // (R,E)
        kernels::gateForward(raw(expanded), raw(projected), raw(expanded), R, E, h, stream());
        if (gradient)
            ctx->save_for_backward({ rows, projected, x, inverse, y, savedRe, savedIm, space[0], space[1], space[2],
                space[3], gain, skip, in, wide, out });
        return torch::mm(expanded, out.t()).view(withLast(u, out.size(0)));
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto s = ctx->get_saved_variables();
        const auto &rows = s[0], &projected = s[1], &x = s[2], &y = s[4], &gain = s[11], &skip = s[12];
        const auto &in = s[13], &wide = s[14], &out = s[15];
        const auto R = rows.size(0), h = x.size(2), E = projected.size(1) - h, B = x.size(0), P = s[7].size(1);
        const auto dz = bf16Rows(gradients[0]);
        const auto expanded = torch::mm(y, wide.t());
        auto dgated = torch::mm(dz, out);
        const auto gated = torch::empty_like(dgated), dprojected = torch::empty_like(projected);
        kernels::gateBackward(
            raw(dgated), raw(expanded), raw(projected), raw(dprojected), raw(gated), R, E, h, stream());
        dgated = Tensor();
        const auto doutput = weightGradient(dz, gated), dexpand = weightGradient(expanded, y);
        const auto dy = torch::mm(expanded, wide); // `expanded` is its own gradient by now

        auto p = scan(x, { s[7], s[8], s[9], s[10] }, skip);
        const auto fp32 = x.options();
        const auto dx = torch::empty_like(x), dspace = torch::empty({ 4, B, h, P }, fp32),
                   dskip = torch::empty({ B, h }, fp32);
        p.savedRe = floats(s[5]), p.savedIm = floats(s[6]), p.dy = raw(dy), p.du = floats(dx), p.dskip = floats(dskip);
        p.dlambdaRe = floats(dspace[0]), p.dlambdaIm = floats(dspace[1]), p.dcRe = floats(dspace[2]);
        p.dcIm = floats(dspace[3]);
        kernels::scanBackward(p, stream());
        const auto dgain = partials(x, h);
        kernels::gssInputBackward(floats(dx), raw(projected), floats(gain), floats(s[3]), raw(dprojected),
            floats(dgain), R, E, h, stream());
        const auto din = weightGradient(dprojected, rows), sums = dspace.sum(1);
        const auto du = torch::mm(dprojected, in).view(withLast(gradients[0], in.size(1)));
        return { du, din.narrow(0, 0, E), din.narrow(0, E, h), dexpand, doutput, dgain.sum(0), dskip.sum(0), sums[0],
            sums[1], sums[2], sums[3], Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor() };
    }
};

} // namespace

bool hasFusedKernels() { return true; }
void useFusedKernels(bool on) { wanted = on; }

bool fusedPass(const Tensor& x, const Pass& pass) { return fusable(x, pass.matrix, pass.cache); }

Tensor fusedProject(const Tensor& x, const Tensor& w, const Tensor& bias, const Pass& pass)
{
    return ProjectFunction::apply(x, w, orEmpty(bias, x), pass.cache->stacked({ w }));
}

bool fusedUpdateFits(std::int64_t width, std::size_t branches)
{
    return kernels::residualNormFits(width) && branches <= kernels::mostBranches;
}

Tensor fusedNorm(Tensor& x, Update& update, const Tensor& gain, const Pass& pass)
{
    const auto none = orEmpty({}, x);
    const auto z = [&](std::size_t k) { return k < update.z.size() ? update.z[k] : none; };
    const auto out = NormFunction::apply(x, z(0), z(1), z(2), orEmpty(update.weights, x), orEmpty(gain, x), update.normed,
        update.alpha, update.beta, pass.training && !update.z.empty() ? pass.dropout : 0.0, pass.generator);
    if (!update.z.empty()) x = out[0];
    update = {};
    return gain.defined() ? out.back() : Tensor();
}

bool queryKeysFit(std::int64_t headWidth) { return kernels::queryKeyFits(headWidth); }

QueryKeyValue fusedQueryKeyValue(const Tensor& u, const Tensor& query, const Tensor& key, const Tensor& value,
    const Tensor& headScale, const Rope& rope, const HeadOptions& options, const Pass& pass)
{
    const auto out = HeadsFunction::apply(u, query, key, value, orEmpty(headScale, u),
        pass.cache->stacked({ query, key, value }), orEmpty(rope.cosine, u), orEmpty(rope.sine, u), options);
    return { out[0], out[1], out[2] };
}

Tensor fusedDecodeAttention(
    const Tensor& qkv, std::int64_t queryHeads, Tensor& keys, Tensor& values, const CardStep& step)
{
    kernels::DecodeAttention p;
    p.batch = keys.size(0), p.room = keys.size(1), p.kvHeads = int(keys.size(2)), p.headWidth = int(keys.size(3));
    p.queryHeads = int(queryHeads);
    const auto out = torch::empty({ p.batch, 1, queryHeads, keys.size(3) }, keys.options());
    const auto partial = torch::empty({ p.batch * queryHeads * kernels::decodeSplits * (keys.size(3) + 2) },
        keys.options().dtype(torch::kFloat));
    p.position = step.position.data_ptr<std::int64_t>();
    p.qkv = raw(qkv), p.keys = raw(keys), p.values = raw(values), p.out = raw(out), p.partial = floats(partial);
    kernels::decodeAttention(p, stream());
    return out;
}

Tensor fusedFeedForward(const std::string& kind, const Tensor& u, const Tensor& gate, const Tensor& up,
    const Tensor& down, const Pass& pass)
{
    const auto in = gate.defined() ? pass.cache->stacked({ gate, up }) : pass.cache->stacked({ up });
    return FeedForwardFunction::apply(u, orEmpty(gate, u), up, down, in, pass.cache->stacked({ down }), kind);
}

bool fusedGssFits(const ModelConfig& config)
{
    return config.gssKernel == "s4d" && kernels::scanFits(config.gssWidth, config.gssState / 2);
}

DiagonalSsm fusedSpectrum(
    const Tensor& logDt, const Tensor& logARe, const Tensor& aIm, const Tensor& cRe, const Tensor& cIm)
{
    const auto out = SpectrumFunction::apply(logDt, logARe, aIm, cRe, cIm);
    return { { out[0], out[1] }, { out[2], out[3] } };
}

Tensor fusedGss(const Tensor& u, const GssWeights& w, const DiagonalSsm& ssm, SsmState* state, const Pass& pass)
{
    const bool gradient = torch::GradMode::is_enabled();
    const auto none = orEmpty({}, u);
    SsmState start { none, none }, end { none, none };
    if (state) {
        const auto fresh = [&] { return torch::empty({ u.size(0), w.input.size(0), ssm.c.re.size(1) }, none.options()); };
        if (state->re.defined()) start = { state->re.contiguous(), state->im.contiguous() };
        end = pass.step ? start : SsmState { fresh(), fresh() }; // a captured step works in place
        *state = end;
    }
    return GssFunction::apply(u, w.value, w.input, w.expand, w.output, w.normGain, w.skip,
        ssm.lambda.re.to(torch::kFloat), ssm.lambda.im.to(torch::kFloat), ssm.c.re, ssm.c.im,
        pass.cache->stacked({ w.value, w.input }), pass.cache->stacked({ w.expand }), pass.cache->stacked({ w.output }),
        start.re, start.im, end.re, end.im, gradient);
}

bool fusedLossFits(const Tensor& h, std::int64_t vocabulary, torch::Dtype matrix, const DeviceCache* cache)
{
    return fusable(h, matrix, cache) && vocabulary <= kernels::mostColumns;
}

Tensor fusedRowLosses(
    Tensor& logits, const Tensor& targets, std::int64_t vocabulary, bool gradient, const Tensor& correct)
{
    const auto nll = torch::empty({ logits.size(0) }, logits.options().dtype(torch::kFloat));
    kernels::softmaxLoss(logits.data_ptr(), targets.data_ptr<std::int64_t>(), nll.data_ptr<float>(),
        correct.defined() ? correct.data_ptr<bool>() : nullptr, logits.size(0), vocabulary, logits.size(1), gradient,
        stream());
    return nll;
}

} // namespace pha

#else

namespace pha {

namespace {
[[noreturn]] void absent() { TORCH_CHECK(false, "this build has no CUDA kernels"); }
} // namespace

bool hasFusedKernels() { return false; }
void useFusedKernels(bool) { }
bool fusedPass(const Tensor&, const Pass&) { return false; }
bool fusedUpdateFits(std::int64_t, std::size_t) { return false; }
bool queryKeysFit(std::int64_t) { return false; }
bool fusedGssFits(const ModelConfig&) { return false; }
bool fusedLossFits(const Tensor&, std::int64_t, torch::Dtype, const DeviceCache*) { return false; }
Tensor fusedProject(const Tensor&, const Tensor&, const Tensor&, const Pass&) { absent(); }
Tensor fusedNorm(Tensor&, Update&, const Tensor&, const Pass&) { absent(); }
QueryKeyValue fusedQueryKeyValue(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Rope&,
    const HeadOptions&, const Pass&)
{
    absent();
}
Tensor fusedDecodeAttention(const Tensor&, std::int64_t, Tensor&, Tensor&, const CardStep&) { absent(); }
Tensor fusedFeedForward(
    const std::string&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Pass&)
{
    absent();
}
DiagonalSsm fusedSpectrum(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&) { absent(); }
Tensor fusedGss(const Tensor&, const GssWeights&, const DiagonalSsm&, SsmState*, const Pass&) { absent(); }
Tensor fusedRowLosses(Tensor&, const Tensor&, std::int64_t, bool, const Tensor&) { absent(); }

} // namespace pha

#endif
