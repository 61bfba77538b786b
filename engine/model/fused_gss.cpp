// SPDX-License-Identifier: GPL-3.0-or-later
// The GSS branch: the same two sides around a state space that is a recurrence (few states) or a long convolution.
#if PHA_HAS_KERNELS

#include "engine/model/fused_detail.h"

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

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

/// What stands before and behind the state space. R rows of (B,T), E gates, h channels.
struct Sides {
    Tensor rows, projected, inverse; ///< (R,D), (R, E + h), 1 / rms (R) of the state space's input

    static Sides enter(const Tensor& u, const Tensor& in, std::int64_t h)
    {
        const auto rows = bf16Rows(u), projected = matrixProduct(rows, in);
        const auto R = rows.size(0);
        const auto inverse = torch::empty({ R }, u.options().dtype(torch::kFloat));
        kernels::gssInputForward(
            raw(projected), floats(inverse), R, projected.size(1) - h, h, float(normEps), stream());
        return { rows, projected, inverse };
    }
    /// y (R,h) -> (R,D).
    Tensor leave(const Tensor& y, const Tensor& wide, const Tensor& out) const
    {
        const auto expanded = matrixProduct(y, wide); // (R,E)
        kernels::gateForward(
            raw(expanded), raw(projected), raw(expanded), y.size(0), wide.size(0), y.size(1), stream());
        return matrixProduct(expanded, out);
    }

    struct Left {
        Tensor dprojected, doutput, dexpand, dy; ///< the gate's columns of the first, and the others whole
    };
    Left leaveBackward(const Tensor& dz, const Tensor& y, const Tensor& wide, const Tensor& out) const
    {
        const auto dprojected = torch::empty_like(projected);
        auto expanded = matrixProduct(y, wide); // and then its own gradient
        auto dgated = torch::mm(dz, out);
        auto gated = torch::empty_like(dgated);
        kernels::gateBackward(raw(dgated), raw(expanded), raw(projected), raw(dprojected), raw(gated), y.size(0),
            wide.size(0), y.size(1), stream());
        dgated = Tensor();
        const auto doutput = weightGradient(dz, gated);
        gated = Tensor();
        return { dprojected, doutput, weightGradient(expanded, y), torch::mm(expanded, wide) };
    }

    struct Entered {
        Tensor du, dvalue, dinput, dgain;
    };
    /// dx (R,h) fp32; fills the rest of dprojected.
    Entered enterBackward(const Tensor& dx, const Tensor& gain, const Tensor& in, const Tensor& dprojected) const
    {
        const auto h = dx.size(1), E = projected.size(1) - h;
        const auto dgain = partials(inverse, h);
        kernels::gssInputBackward(floats(dx), raw(projected), floats(gain), floats(inverse), raw(dprojected),
            floats(dgain), dx.size(0), E, h, stream());
        const auto din = weightGradient(dprojected, rows);
        return { torch::mm(dprojected, in), din.narrow(0, 0, E), din.narrow(0, E, h), columnSums(dgain) };
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
        (void)expand, (void)output, (void)value;
        const auto B = u.size(0), T = u.size(1), h = input.size(0), P = lambdaRe.size(1), R = B * T;
        const auto sides = Sides::enter(u, in, h);
        const auto &rows = sides.rows, &projected = sides.projected, &inverse = sides.inverse;
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
        return sides.leave(y, wide, out).view(withLast(u, out.size(0)));
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto s = ctx->get_saved_variables();
        const Sides sides { s[0], s[1], s[2] };
        const auto &inverse = s[2], &y = s[3], &states = s[4], &gain = s[9], &skip = s[10], &in = s[11], &wide = s[12];
        const auto R = y.size(0), h = y.size(1), B = gradients[0].size(0);
        const auto left = sides.leaveBackward(bf16Rows(gradients[0]), y, wide, s[13]);

        auto p = scan(B, sides.projected, inverse, gain, { s[5], s[6], s[7], s[8] }, skip);
        const auto between = joints(p, inverse);
        const auto parts = kernels::scanSegments(B, p.length, h) * B;
        const auto dx = torch::empty({ R, h }, inverse.options()),
                   dspace = torch::empty({ 4, parts, h * p.states }, inverse.options()),
                   dskip = torch::empty({ parts, h }, inverse.options());
        p.savedRe = floats(states[0]), p.savedIm = floats(states[1]), p.dy = raw(left.dy), p.du = floats(dx);
        p.joinRe = floats(between[0]), p.joinIm = floats(between[1]), p.dskip = floats(dskip);
        p.dlambdaRe = floats(dspace[0]), p.dlambdaIm = floats(dspace[1]), p.dcRe = floats(dspace[2]);
        p.dcIm = floats(dspace[3]);
        kernels::scanBackward(p, stream());
        const auto entered = sides.enterBackward(dx, gain, in, left.dprojected);
        const auto sums = columnSums(dspace).view({ 4, h, p.states });
        return { entered.du.view(withLast(gradients[0], in.size(1))), entered.dvalue, entered.dinput, left.dexpand,
            left.doutput, entered.dgain, columnSums(dskip), sums[0], sums[1], sums[2], sums[3], Tensor(), Tensor(),
            Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor() };
    }
};

/// The kernel (h,T) of states that all channels share, from dss's own parameters: two products with a table of powers.
struct SharedKernelFunction : torch::autograd::Function<SharedKernelFunction> {
    static kernels::SharedPowers shape(const Tensor& a, const Tensor& b, std::int64_t length, bool held)
    {
        kernels::SharedPowers p;
        p.states = int(a.numel()), p.length = length, p.held = held, p.a = floats(a), p.b = floats(b);
        return p;
    }
    static Tensor table(kernels::SharedPowers p, const Tensor& like) // (2,P,T)
    {
        const auto powers = torch::empty({ 2, p.states, p.length }, like.options());
        p.re = floats(powers[0]), p.im = floats(powers[1]);
        kernels::sharedPowers(p, stream());
        return powers;
    }
    static Tensor forward(AutogradContext* ctx, const Tensor& a, const Tensor& b, const Tensor& cRe, const Tensor& cIm,
        std::int64_t length, bool held)
    {
        ctx->save_for_backward({ a, b, cRe, cIm });
        ctx->saved_data["held"] = held;
        const auto powers = table(shape(a, b, length, held), a);
        return torch::mm(cRe, powers[0]).addmm_(cIm, powers[1], 1, -1);
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto s = ctx->get_saved_variables();
        const auto &a = s[0], &b = s[1], &cRe = s[2], &cIm = s[3], &dk = gradients[0];
        auto p = shape(a, b, dk.size(1), ctx->saved_data["held"].toBool());
        const auto powers = table(p, a);
        const auto dcRe = torch::mm(dk, powers[0].t()), dcIm = torch::mm(dk, powers[1].t()).neg_();
        const auto dre = torch::mm(cRe.t(), dk), dim = torch::mm(cIm.t(), dk).neg_();
        const auto da = torch::empty_like(a), db = torch::empty_like(b);
        p.dre = floats(dre), p.dim = floats(dim), p.da = floats(da), p.db = floats(db);
        kernels::sharedPowersBackward(p, stream());
        return { da, db, dcRe, dcIm, Tensor(), Tensor() };
    }
};

/// The state space as a convolution with its kernel (h,T), by Fourier transforms. Keeps what GssFunction keeps.
struct LongGssFunction : torch::autograd::Function<LongGssFunction> {
    static kernels::Signal shape(std::int64_t B, std::int64_t T, std::int64_t h) { return { B, T, fftSize(T), h }; }
    static Tensor room(const kernels::Signal& s, const Tensor& like)
    {
        return torch::empty({ s.batch, s.channels, s.size }, like.options());
    }
    static Tensor input(const kernels::Signal& s, const Sides& sides, const Tensor& gain)
    {
        const auto x = room(s, gain);
        kernels::signalOfInput(s, raw(sides.projected), sides.projected.size(1) - s.channels, floats(sides.inverse),
            floats(gain), floats(x), stream());
        return x;
    }
    /// Of the kernel, divided by the size, so that the transforms of whole texts need not be.
    static Tensor transformed(const Tensor& kernel, const kernels::Signal& s)
    {
        return torch::fft::rfft(kernel, s.size, -1, "forward");
    }

    static Tensor forward(AutogradContext* ctx, const Tensor& u, const Tensor& value, const Tensor& input0,
        const Tensor& expand, const Tensor& output, const Tensor& gain, const Tensor& skip, const Tensor& kernel,
        const Tensor& in, const Tensor& wide, const Tensor& out)
    {
        (void)value, (void)expand, (void)output;
        const auto s = shape(u.size(0), u.size(1), input0.size(0));
        const auto sides = Sides::enter(u, in, s.channels);
        const auto x = input(s, sides, gain), product = torch::fft::rfft(x).mul_(transformed(kernel, s));
        const auto seen = torch::fft::irfft(product, s.size, -1, "forward");
        const auto y = torch::empty({ s.batch * s.length, s.channels }, sides.rows.options());
        kernels::rowsOfSignal(s, floats(seen), floats(skip), floats(x), raw(y), false, stream());
        ctx->save_for_backward({ sides.rows, sides.projected, sides.inverse, y, kernel, gain, skip, in, wide, out });
        return sides.leave(y, wide, out).view(withLast(u, out.size(0)));
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const Sides sides { saved[0], saved[1], saved[2] };
        const auto &y = saved[3], &gain = saved[5], &skip = saved[6], &in = saved[7], &wide = saved[8];
        const auto s = shape(gradients[0].size(0), gradients[0].size(1), y.size(1));
        const auto left = sides.leaveBackward(bf16Rows(gradients[0]), y, wide, saved[9]);
        const auto x = input(s, sides, gain), dy = room(s, gain);
        kernels::signalOfRows(s, raw(left.dy), floats(dy), stream());
        const auto kernel = transformed(saved[4], s), g = torch::fft::rfft(dy), dkernel = torch::empty_like(kernel);
        kernels::convolutionBackward(
            s.batch, kernel.numel(), raw(g), raw(torch::fft::rfft(x)), raw(kernel), raw(dkernel), stream());
        const auto seen = torch::fft::irfft(g, s.size, -1, "forward");
        const auto dx = torch::empty({ s.batch * s.length, s.channels }, gain.options());
        kernels::rowsOfSignal(s, floats(seen), floats(skip), floats(dy), raw(dx), true, stream());
        const auto entered = sides.enterBackward(dx, gain, in, left.dprojected);
        return { entered.du.view(withLast(gradients[0], in.size(1))), entered.dvalue, entered.dinput, left.dexpand,
            left.doutput, entered.dgain, dy.mul_(x).sum(std::vector<std::int64_t> { 0, 2 }),
            torch::fft::irfft(dkernel, s.size).narrow(1, 0, s.length), Tensor(), Tensor(), Tensor() };
    }
};

} // namespace

namespace card {

bool fusedGssFits(const ModelConfig& config)
{
    return config.gssKernel == "s4d" && kernels::scanFits(config.gssWidth, config.gssState / 2);
}

bool fusedLongGssFits(const ModelConfig& config)
{
    return config.gssKernel == "dss" && config.gssWidth <= kernels::mostGssChannels;
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

Tensor fusedLongGss(const Tensor& u, const GssWeights& w, const SharedStates& states, const Pass& pass)
{
    const auto kernel = SharedKernelFunction::apply(states.a, states.b, states.cRe, states.cIm, u.size(1), states.held);
    return LongGssFunction::apply(u, w.value, w.input, w.expand, w.output, w.normGain, w.skip, kernel,
        pass.cache->stacked({ w.value, w.input }), pass.cache->stacked({ w.expand }),
        pass.cache->stacked({ w.output }));
}

} // namespace card

} // namespace pha

#endif
