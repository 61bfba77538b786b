// SPDX-License-Identifier: GPL-3.0-or-later
// Feed-forward networks and the GSS branch.
#if PHA_HAS_KERNELS

#include "engine/model/fused_detail.h"

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

kernels::Activation activationOf(const std::string& kind)
{
    return kind == "swiglu"   ? kernels::Activation::SwiGlu
        : kind == "gelu"      ? kernels::Activation::Gelu
        : kind == "gelu_tanh" ? kernels::Activation::GeluTanh
                              : kernels::Activation::Relu2;
}

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
    /// A scan of the input that is the last h columns of `projected` (R, E + h), R = batch T.
    static kernels::Scan scan(std::int64_t batch, const Tensor& projected, const Tensor& inverse, const Tensor& gain,
        const variable_list& space, const Tensor& skip)
    {
        kernels::Scan p;
        p.batch = batch, p.length = projected.size(0) / batch;
        p.channels = int(space[0].size(0)), p.states = int(space[0].size(1));
        p.projectedStride = projected.size(1);
        p.projected = static_cast<const c10::BFloat16*>(projected.data_ptr()) + (projected.size(1) - p.channels);
        p.gain = floats(gain), p.inverse = floats(inverse), p.skip = floats(skip);
        p.lambdaRe = floats(space[0]), p.lambdaIm = floats(space[1]), p.cRe = floats(space[2]),
        p.cIm = floats(space[3]);
        return p;
    }
    /// Room for the states between the segments (2, B, segments, h, P), empty if there is but one.
    static Tensor joints(const kernels::Scan& p, const Tensor& like)
    {
        const auto segments = kernels::scanSegments(p.batch, p.length, p.channels);
        return torch::empty({ 2, p.batch, segments > 1 ? segments : 0, p.channels, p.states }, like.options());
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
        const auto projected = matrixProduct(rows, in); // (R, E + h)
        const auto inverse = torch::empty({ R }, u.options().dtype(torch::kFloat));
        kernels::gssInputForward(raw(projected), floats(inverse), R, E, h, float(normEps), stream());
        const auto y = torch::empty({ R, h }, rows.options());
        const auto spans = gradient ? (T + kernels::scanSpan - 1) / kernels::scanSpan : 0;
        const auto states = torch::empty({ 2, B * spans * h * P }, inverse.options());
        const variable_list space { lambdaRe.contiguous(), lambdaIm.contiguous(), cRe.contiguous(), cIm.contiguous() };
        auto p = scan(B, projected, inverse, gain, space, skip);
        const auto between = joints(p, inverse);
        p.startRe = floats(startRe), p.startIm = floats(startIm), p.endRe = floats(endRe), p.endIm = floats(endIm);
        p.savedRe = floats(states[0]), p.savedIm = floats(states[1]), p.y = raw(y);
        p.joinRe = floats(between[0]), p.joinIm = floats(between[1]);
        kernels::scanForward(p, stream());
        if (gradient)
            ctx->save_for_backward({ rows, projected, inverse, y, states, space[0], space[1], space[2], space[3], gain,
                skip, in, wide, out });
        const auto expanded = matrixProduct(y, wide); // (R,E)
        kernels::gateForward(raw(expanded), raw(projected), raw(expanded), R, E, h, stream());
        return matrixProduct(expanded, out).view(withLast(u, out.size(0)));
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto s = ctx->get_saved_variables();
        const auto &rows = s[0], &projected = s[1], &inverse = s[2], &y = s[3], &states = s[4], &gain = s[9];
        const auto &skip = s[10], &in = s[11], &wide = s[12], &out = s[13];
        const auto R = rows.size(0), h = wide.size(1), E = wide.size(0), B = gradients[0].size(0);
        const auto dz = bf16Rows(gradients[0]);
        const auto dprojected = torch::empty_like(projected);
        auto expanded = matrixProduct(y, wide); // and then its own gradient
        auto dgated = torch::mm(dz, out);
        auto gated = torch::empty_like(dgated);
        kernels::gateBackward(
            raw(dgated), raw(expanded), raw(projected), raw(dprojected), raw(gated), R, E, h, stream());
        dgated = Tensor();
        const auto doutput = weightGradient(dz, gated);
        gated = Tensor();
        const auto dexpand = weightGradient(expanded, y), dy = torch::mm(expanded, wide);
        expanded = Tensor();

        auto p = scan(B, projected, inverse, gain, { s[5], s[6], s[7], s[8] }, skip);
        const auto between = joints(p, inverse);
        const auto parts = kernels::scanSegments(B, p.length, h) * B;
        const auto dx = torch::empty({ R, h }, inverse.options()),
                   dspace = torch::empty({ 4, parts, h * p.states }, inverse.options()),
                   dskip = torch::empty({ parts, h }, inverse.options());
        p.savedRe = floats(states[0]), p.savedIm = floats(states[1]), p.dy = raw(dy), p.du = floats(dx);
        p.joinRe = floats(between[0]), p.joinIm = floats(between[1]), p.dskip = floats(dskip);
        p.dlambdaRe = floats(dspace[0]), p.dlambdaIm = floats(dspace[1]), p.dcRe = floats(dspace[2]);
        p.dcIm = floats(dspace[3]);
        kernels::scanBackward(p, stream());
        const auto dgain = partials(inverse, h);
        kernels::gssInputBackward(floats(dx), raw(projected), floats(gain), floats(inverse), raw(dprojected),
            floats(dgain), R, E, h, stream());
        const auto din = weightGradient(dprojected, rows);
        const auto sums = columnSums(dspace).view({ 4, h, p.states });
        const auto du = torch::mm(dprojected, in).view(withLast(gradients[0], in.size(1)));
        return { du, din.narrow(0, 0, E), din.narrow(0, E, h), dexpand, doutput, columnSums(dgain), columnSums(dskip),
            sums[0], sums[1], sums[2], sums[3], Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor(),
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
        const auto fresh = [&] {
            return torch::empty({ u.size(0), w.input.size(0), ssm.c.re.size(1) }, none.options());
        };
        if (state->re.defined()) start = { state->re.contiguous(), state->im.contiguous() };
        end = pass.step ? start : SsmState { fresh(), fresh() }; // a captured step works in place
        *state = end;
    }
    return GssFunction::apply(u, w.value, w.input, w.expand, w.output, w.normGain, w.skip,
        ssm.lambda.re.to(torch::kFloat), ssm.lambda.im.to(torch::kFloat), ssm.c.re, ssm.c.im,
        pass.cache->stacked({ w.value, w.input }), pass.cache->stacked({ w.expand }), pass.cache->stacked({ w.output }),
        start.re, start.im, end.re, end.im, gradient);
}

} // namespace card

} // namespace pha

#endif
