// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/branches.h"
#include "engine/model/fused_ops.h"
#include "engine/model/watch.h"

#include <cmath>
#include <numbers>

namespace pha {

GssBranch::GssBranch(const ModelConfig& config)
    : config_(config)
{
    const auto D = config.width, E = config.gssExpand, h = config.gssWidth, N = config.gssState;
    const bool dss = config.gssKernel == "dss";
    const auto P = dss ? N : N / 2;
    value_ = register_parameter("value", torch::empty({ E, D }));
    input_ = register_parameter("input", torch::empty({ h, D }));
    expand_ = register_parameter("expand", torch::empty({ E, h }));
    output_ = register_parameter("output", torch::empty({ D, E }));
    normGain_ = register_parameter("norm_gain", torch::empty({ h }));
    skip_ = register_parameter("skip", torch::empty({ h }));
    cRe_ = register_parameter("c_re", torch::empty({ h, P }));
    cIm_ = register_parameter("c_im", torch::empty({ h, P }));
    if (dss) {
        a_ = register_parameter("a", torch::empty({ N }));
        b_ = register_parameter("b", torch::empty({ N }));
    } else {
        logDt_ = register_parameter("log_dt", torch::empty({ h }));
        logARe_ = register_parameter("log_a_re", torch::empty({ h, P }));
        aIm_ = register_parameter("a_im", torch::empty({ h, P }));
    }
}

bool GssBranch::draw(const std::string& name, Tensor& p, Initialiser& random) const
{
    const bool dss = config_.gssKernel == "dss";
    if (name == "skip" || name == "a" || name == "b") return random.normal(p, 1), true;
    if (name == "c_re" || name == "c_im") // kernels of norm 0.75 in both forms (models.md 19.7)
        return random.normal(p, dss ? 1 / std::sqrt(double(config_.gssState)) : std::sqrt(0.5)), true;
    if (name == "log_dt") return random.uniform(p, std::log(1e-3), std::log(1e-1)), true;
    if (name == "log_a_re") return random.fill(p, std::log(0.5)), true;
    if (name != "a_im") return false;
    const auto N = double(config_.gssState), pi = std::numbers::pi;
    const auto n = torch::arange(p.size(1), torch::dtype(torch::kDouble));
    p.copy_((config_.gssInit == "inv" ? N / pi * (N / (2 * n + 1) - 1) : pi * n).unsqueeze(0).expand_as(p));
    return true;
}

namespace {

Complex complexExp(const Tensor& re, const Tensor& im)
{
    const auto size = torch::exp(re);
    return { size * torch::cos(im), size * torch::sin(im) };
}

/// (exp(dt a) - 1) / a: zero-order hold of an input of 1.
Complex zeroOrderHold(const Complex& lambda, const Tensor& aRe, const Tensor& aIm)
{
    const auto size = aRe.square() + aIm.square(); // never 0: the real part is negative
    const Complex inverse { aRe / size, -aIm / size };
    return Complex { lambda.re - 1, lambda.im } * inverse;
}

} // namespace

DiagonalSsm GssBranch::ssm() const
{
    const auto type = cRe_.scalar_type();
    const Complex c { cRe_, cIm_ };
    if (config_.gssKernel == "dss") {
        const auto re = -torch::exp(a_.to(torch::kDouble)), im = torch::exp(b_.to(torch::kDouble)); // step 1
        auto lambda = complexExp(re, im);
        auto scaled = c;
        if (config_.gssScale == "zoh") {
            const auto hold = zeroOrderHold(lambda, re, im);
            scaled = c * Complex { hold.re.to(type), hold.im.to(type) };
        }
        return { { lambda.re.unsqueeze(0), lambda.im.unsqueeze(0) }, scaled };
    }
    const auto dt = torch::exp(logDt_.to(torch::kDouble)).unsqueeze(1); // (h,1)
    const auto re = -torch::exp(logARe_.to(torch::kDouble)), im = aIm_.to(torch::kDouble);
    const auto lambda = complexExp(dt * re, dt * im);
    const auto hold = zeroOrderHold(lambda, re, im);
    const Complex twice { (hold.re * 2).to(type), (hold.im * 2).to(type) }; // 2: each state stands for a conjugate pair
    return { lambda, c * twice };
}

bool GssBranch::describe(kernels::StepPart& part, StepSource& source, BlockState& state) const
{
    if (!state.ssm.re.defined()) return false;
    const auto space = ssm();
    state.ssm = { state.ssm.re.contiguous(), state.ssm.im.contiguous() };
    kernels::StepGss g;
    g.value = source.matrix(value_);
    g.input = source.matrix(input_);
    g.expand = source.matrix(expand_);
    g.output = source.matrix(output_);
    g.normGain = source.numbers(normGain_), g.skip = source.numbers(skip_);
    g.lambdaRe = source.numbers(space.lambda.re), g.lambdaIm = source.numbers(space.lambda.im);
    g.cRe = source.numbers(space.c.re), g.cIm = source.numbers(space.c.im);
    g.sharedLambda = space.lambda.re.size(0) == 1 && config_.gssWidth > 1;
    g.stateRe = state.ssm.re.data_ptr<float>(), g.stateIm = state.ssm.im.data_ptr<float>();
    g.expandWidth = int(config_.gssExpand), g.channels = int(config_.gssWidth), g.states = int(space.c.re.size(1));
    part = g;
    return true;
}

Tensor GssBranch::forward(const Tensor& u, const Pass& pass, std::int64_t, BlockState* state)
{
    const GssWeights weights { value_, input_, expand_, output_, normGain_, skip_ };
    const bool fused = fusedPass(u, pass) && !pass.watch && config_.gssConvolution == "auto";
    if (fused && fusedGssFits(u.device(), config_)) {
        const bool reading = state && !torch::GradMode::is_enabled();
        const bool known = reading && state->space.c.re.defined() && state->space.c.re.device() == u.device();
        const auto space = known ? state->space : fusedSpectrum(logDt_, logARe_, aIm_, cRe_, cIm_);
        if (reading && u.is_cpu()) state->space = space;
        return fusedGss(u, weights, space, state ? &state->ssm : nullptr, pass);
    }
    if (fused && !state && fusedLongGssFits(u.device(), config_))
        return fusedLongGss(u, weights, { a_, b_, cRe_, cIm_, config_.gssScale == "zoh" }, pass);
    const auto type = skip_.scalar_type(); // the state space works in fp32 whatever the matrices do
    const auto gate = torch::gelu(project(u, value_, pass.matrix)); // (B,T,E)
    const auto x = rmsNorm(torch::gelu(project(u, input_, pass.matrix)), normGain_, type); // (B,T,h)
    const auto space = ssm();
    if (pass.watch) pass.watch->stateSpace(space, skip_, x);
    Tensor y;
    if (state && x.size(1) == 1 && state->ssm.re.defined()) {
        y = ssmStep(space, x.squeeze(1), state->ssm).unsqueeze(1);
    } else if (state) {
        y = ssmChunked(space, x, &state->ssm);
    } else {
        // Chunks need h P / C numbers a token for their states, transforms a fixed number: many shared states favour
        // the latter.
        const bool fft = config_.gssConvolution == "fft"
            || (config_.gssConvolution == "auto" && config_.gssKernel == "dss" && x.size(1) > 512);
        y = fft ? ssmFft(space, x) : ssmChunked(space, x, nullptr);
    }
    y = y + skip_ * x;
    return project(project(y, expand_, pass.matrix) * gate, output_, pass.matrix);
}

} // namespace pha
