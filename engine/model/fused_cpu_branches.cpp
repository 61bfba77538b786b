// SPDX-License-Identifier: GPL-3.0-or-later
// Feed-forward networks and the GSS branch.
#include "engine/model/fused_cpu.h"

namespace pha::cpu {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

Activation activationOf(const std::string& kind)
{
    return kind == "swiglu"   ? Activation::SwiGlu
        : kind == "gelu"      ? Activation::Gelu
        : kind == "gelu_tanh" ? Activation::GeluTanh
                              : Activation::Relu2;
}

float* behind(const Tensor& t, std::int64_t at) { return t.defined() && t.numel() ? floats(t) + at : nullptr; }

/// Keeps its input and the hidden layer before the activation; the activation itself is formed again.
struct FeedForwardFunction : torch::autograd::Function<FeedForwardFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& u, const Tensor& gate, const Tensor& up,
        const Tensor& down, const std::string& kind)
    {
        const auto rows = rowsOf(u);
        const bool gated = gate.numel() > 0;
        const auto a = matrixProduct(rows, gated ? gate : up), b = gated ? matrixProduct(rows, up) : orEmpty({});
        const auto active = torch::empty_like(a);
        inParallel(a.numel(), 1, [&](std::int64_t from, std::int64_t to) {
            kernels().activationForward(
                activationOf(kind), floats(a) + from, behind(b, from), floats(active) + from, to - from);
        });
        ctx->save_for_backward({ rows, a, b, gate, up, down });
        ctx->saved_data["kind"] = kind;
        return matrixProduct(active, down).view(withLast(u, down.size(0)));
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto &rows = saved[0], &a = saved[1], &b = saved[2], &gate = saved[3], &up = saved[4], &down = saved[5];
        const auto dz = rowsOf(gradients[0]);
        const auto active = productOf(dz, down); // its gradient, and in its place the layer itself
        const auto da = torch::empty_like(a), db = torch::empty_like(b);
        const auto kind = activationOf(ctx->saved_data["kind"].toStringRef());
        inParallel(a.numel(), 1, [&](std::int64_t from, std::int64_t to) {
            kernels().activationBackward(kind, floats(active) + from, floats(a) + from, behind(b, from),
                floats(da) + from, behind(db, from), floats(active) + from, to - from);
        });
        const auto ddown = productOf(dz.t(), active);
        if (!gate.numel()) {
            const auto du = productOf(da, up).view(withLast(gradients[0], up.size(1)));
            return { du, Tensor(), productOf(da.t(), rows), ddown, Tensor() };
        }
        const auto du = productOf(da, gate);
        productInto(du, db, up, true);
        return { du.view(withLast(gradients[0], up.size(1))), productOf(da.t(), rows), productOf(db.t(), rows), ddown,
            Tensor() };
    }
};

struct SpectrumFunction : torch::autograd::Function<SpectrumFunction> {
    static Spectrum shape(const variable_list& in)
    {
        Spectrum p {};
        p.channels = in[1].size(0), p.states = in[1].size(1);
        p.logDt = floats(in[0]), p.logARe = floats(in[1]), p.aIm = floats(in[2]), p.cRe = floats(in[3]);
        p.cIm = floats(in[4]);
        return p;
    }
    static constexpr std::int64_t weight = 64; ///< of a state, in numbers of work

    static variable_list forward(AutogradContext* ctx, const Tensor& logDt, const Tensor& logARe, const Tensor& aIm,
        const Tensor& cRe, const Tensor& cIm)
    {
        const variable_list in { logDt, logARe, aIm, cRe, cIm };
        auto p = shape(in);
        variable_list out;
        for (auto& to : p.out) to = floats(out.emplace_back(torch::empty({ p.states, p.channels })));
        inParallel(p.channels, p.states * weight,
            [&](std::int64_t from, std::int64_t to) { kernels().spectrumForward(p, from, to); });
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
        inParallel(p.channels, p.states * weight,
            [&](std::int64_t from, std::int64_t to) { kernels().spectrumBackward(p, from, to); });
        return out;
    }
};

/// Keeps its input, both projections before their activations, the state space's input and output and what the latter
/// is expanded to.
struct GssFunction : torch::autograd::Function<GssFunction> {
    static Scan scan(const Tensor& x, const variable_list& space, const Tensor& skip)
    {
        Scan p {};
        p.batch = x.size(0), p.length = x.size(1), p.channels = x.size(2), p.states = space[0].size(0);
        p.u = floats(x), p.skip = floats(skip);
        p.lambdaRe = floats(space[0]), p.lambdaIm = floats(space[1]), p.cRe = floats(space[2]);
        p.cIm = floats(space[3]);
        return p;
    }

    static Tensor forward(AutogradContext* ctx, const Tensor& u, const Tensor& value, const Tensor& input,
        const Tensor& expand, const Tensor& output, const Tensor& gain, const Tensor& skip, const Tensor& lambdaRe,
        const Tensor& lambdaIm, const Tensor& cRe, const Tensor& cIm, const Tensor& startRe, const Tensor& startIm,
        const Tensor& endRe, const Tensor& endIm, bool gradient)
    {
        const auto B = u.size(0), T = u.size(1), h = input.size(0), R = B * T;
        const auto rows = rowsOf(u);
        const auto wide = matrixProduct(rows, value), narrow = matrixProduct(rows, input); // (R,E), (R,h)
        const auto x = torch::empty({ B, T, h }), inverse = torch::empty({ R });
        inParallel(R, 4 * h, [&](std::int64_t from, std::int64_t to) {
            kernels().geluNormForward(floats(narrow) + from * h, floats(gain), floats(x) + from * h,
                floats(inverse) + from, to - from, h, float(normEps));
        });
        const variable_list space { lambdaRe.contiguous(), lambdaIm.contiguous(), cRe.contiguous(), cIm.contiguous() };
        const auto y = torch::empty({ R, h });
        auto p = scan(x, space, skip);
        const auto spans = torch::empty({ gradient ? scanSpans(p) : 0 });
        p.startRe = floats(startRe), p.startIm = floats(startIm), p.endRe = floats(endRe), p.endIm = floats(endIm);
        p.spans = floats(spans), p.y = floats(y);
        inParallel(scanTasks(p), 8 * T * p.states,
            [&](std::int64_t from, std::int64_t to) { kernels().scanForward(p, from, to); });
        const auto expanded = matrixProduct(y, expand); // (R,E)
        const auto gated = gradient ? torch::empty_like(expanded) : expanded;
        inParallel(wide.numel(), 2, [&](std::int64_t from, std::int64_t to) {
            kernels().gateForward(floats(wide) + from, floats(expanded) + from, floats(gated) + from, to - from);
        });
        if (gradient)
            ctx->save_for_backward({ rows, wide, narrow, x, inverse, y, spans, expanded, space[0], space[1], space[2],
                space[3], gain, skip, value, input, expand, output });
        return matrixProduct(gated, output).view(withLast(u, output.size(0)));
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto s = ctx->get_saved_variables();
        const auto &rows = s[0], &wide = s[1], &narrow = s[2], &x = s[3], &y = s[5], &expanded = s[7], &gain = s[12];
        const auto &skip = s[13], &value = s[14], &input = s[15], &expand = s[16], &output = s[17];
        const auto B = x.size(0), h = x.size(2), R = rows.size(0), P = s[8].size(0);
        const auto dz = rowsOf(gradients[0]);
        const auto dexpanded = productOf(dz, output); // the gradient of what is gated, until it is its own
        const auto gated = torch::empty_like(wide), dwide = torch::empty_like(wide);
        inParallel(wide.numel(), 2, [&](std::int64_t from, std::int64_t to) {
            kernels().gateBackward(floats(dexpanded) + from, floats(wide) + from, floats(expanded) + from,
                floats(dwide) + from, floats(dexpanded) + from, floats(gated) + from, to - from);
        });
        const auto doutput = productOf(dz.t(), gated), dexpand = productOf(dexpanded.t(), y);
        const auto dy = productOf(dexpanded, expand);

        auto p = scan(x, { s[8], s[9], s[10], s[11] }, skip);
        const auto dx = torch::empty_like(x), dspace = torch::empty({ 4, B, P, h }), dskip = torch::empty({ B, h });
        p.spans = floats(s[6]), p.dy = floats(dy), p.du = floats(dx), p.dskip = floats(dskip);
        p.dlambdaRe = floats(dspace), p.dlambdaIm = p.dlambdaRe + B * P * h, p.dcRe = p.dlambdaIm + B * P * h;
        p.dcIm = p.dcRe + B * P * h;
        inParallel(scanTasks(p), 16 * p.length * P,
            [&](std::int64_t from, std::int64_t to) { kernels().scanBackward(p, from, to); });
        const auto dnarrow = torch::empty_like(narrow), dgain = torch::zeros({ normParts, h });
        const auto each = (R + normParts - 1) / normParts;
        inParallel(normParts, each * h * 8, [&](std::int64_t from, std::int64_t to) {
            for (auto part = from; part < to; ++part) {
                const auto first = std::min(R, part * each), count = std::min(R, first + each) - first;
                kernels().geluNormBackward(floats(dx) + first * h, floats(narrow) + first * h, floats(gain),
                    floats(s[4]) + first, floats(dnarrow) + first * h, floats(dgain) + part * h, count, h);
            }
        });
        const auto du = productOf(dwide, value);
        productInto(du, dnarrow, input, true);
        const auto sums = dspace.sum(1);
        return { du.view(withLast(gradients[0], value.size(1))), productOf(dwide.t(), rows),
            productOf(dnarrow.t(), rows), dexpand, doutput, dgain.sum(0), dskip.sum(0), sums[0], sums[1], sums[2],
            sums[3], Tensor(), Tensor(), Tensor(), Tensor(), Tensor() };
    }
};

} // namespace

Tensor feedForward(const std::string& kind, const Tensor& u, const Tensor& gate, const Tensor& up, const Tensor& down)
{
    return FeedForwardFunction::apply(u, orEmpty(gate), up, down, kind);
}

bool gssFits(const ModelConfig& config)
{
    return config.gssKernel == "s4d" && config.gssWidth % 8 == 0 && config.gssState <= 128;
}

DiagonalSsm spectrum(const Tensor& logDt, const Tensor& logARe, const Tensor& aIm, const Tensor& cRe, const Tensor& cIm)
{
    const auto out = SpectrumFunction::apply(logDt, logARe, aIm, cRe, cIm); // states first, as the scan wants them
    return { { out[0].t(), out[1].t() }, { out[2].t(), out[3].t() } };
}

Tensor gss(const Tensor& u, const GssWeights& w, const DiagonalSsm& ssm, SsmState* state)
{
    const auto none = orEmpty({});
    SsmState start { none, none }, end { none, none }; // states first, channels last
    if (state) {
        const auto turned = [](const Tensor& x) { return x.transpose(1, 2).contiguous(); };
        const auto fresh = [&] { return torch::empty({ u.size(0), ssm.c.re.size(1), ssm.c.re.size(0) }); };
        if (state->re.defined()) start = { turned(state->re), turned(state->im) };
        end = { fresh(), fresh() };
        *state = { end.re.transpose(1, 2), end.im.transpose(1, 2) };
    }
    return GssFunction::apply(u, w.value, w.input, w.expand, w.output, w.normGain, w.skip, ssm.lambda.re.t(),
        ssm.lambda.im.t(), ssm.c.re.t(), ssm.c.im.t(), start.re, start.im, end.re, end.im,
        torch::GradMode::is_enabled());
}

} // namespace pha::cpu
