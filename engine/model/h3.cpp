// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/h3.h"

#include "engine/model/watch.h"

#include <cmath>
#include <numbers>

namespace pha {

namespace {

/// Chunks of this length keep the kernels' Toeplitz matrices (H,C,C) small: every channel has one of its own.
constexpr std::int64_t scanChunk = 64;

Complex divide(const Complex& a, const Complex& b)
{
    const auto size = b.re.square() + b.im.square();
    return Complex { a.re / size, a.im / size } * Complex { b.re, -b.im };
}

} // namespace

H3Branch::H3Branch(const ModelConfig& config)
    : headWidth_(config.h3HeadWidth)
    , scaledOutput_(config.residualMode == "deepnorm_post")
{
    const auto D = config.width, N = config.h3State, H = D / headWidth_, P = N / 2;
    const auto matrix = [&](const char* name) { return register_parameter(name, torch::empty({ D, D })); };
    const auto bias = [&](const char* name) {
        return config.biases ? register_parameter(name, torch::empty({ D })) : Tensor();
    };
    query_ = matrix("query");
    key_ = matrix("key");
    value_ = matrix("value");
    output_ = matrix("output");
    queryBias_ = bias("query_bias");
    keyBias_ = bias("key_bias");
    valueBias_ = bias("value_bias");
    outputBias_ = bias("output_bias");
    shiftB_ = register_parameter("shift_b", torch::empty({ D, N }));
    shiftC_ = register_parameter("shift_c", torch::empty({ D, N }));
    shiftSkip_ = register_parameter("shift_skip", torch::empty({ D }));
    logDt_ = register_parameter("log_dt", torch::empty({ H }));
    logARe_ = register_parameter("log_a_re", torch::empty({ H, P }));
    aIm_ = register_parameter("a_im", torch::empty({ H, P }));
    bRe_ = register_parameter("b_re", torch::empty({ H, P }));
    bIm_ = register_parameter("b_im", torch::empty({ H, P }));
    cRe_ = register_parameter("c_re", torch::empty({ H, P }));
    cIm_ = register_parameter("c_im", torch::empty({ H, P }));
    skip_ = register_parameter("skip", torch::empty({ H }));
}

bool H3Branch::draw(const std::string& name, Tensor& p, Initialiser& random) const
{
    const auto N = double(shiftC_.size(1));
    if (name == "output") return !scaledOutput_ && (random.normal(p, 0.02), true); // as released
    if (name == "shift_c") return random.uniform(p, -1 / std::sqrt(N), 1 / std::sqrt(N)), true;
    if (name == "shift_skip" || name == "skip") return random.normal(p, 1), true;
    if (name == "c_re" || name == "c_im") return random.normal(p, std::sqrt(0.5)), true;
    if (name == "b_re") return random.fill(p, 1), true;
    if (name == "b_im") return random.fill(p, 0), true;
    if (name == "log_dt") return random.uniform(p, std::log(1e-3), std::log(1e-1)), true;
    if (name == "log_a_re") return random.fill(p, std::log(0.5)), true;
    if (name == "a_im") { // S4D-Lin
        p.copy_(torch::arange(p.size(1), torch::dtype(torch::kDouble)).mul(std::numbers::pi).expand_as(p));
    } else if (name == "shift_b") { // the state is a plain memory of the last N keys
        p.zero_();
        p.select(1, 0).fill_(1);
    } else {
        return false;
    }
    return true;
}

Tensor H3Branch::shiftKernel() const
{
    const auto N = shiftC_.size(1);
    // A correlation of C with B, through transforms long enough that nothing wraps into the first N lags.
    const auto spectrum = torch::fft::rfft(shiftC_, 2 * N) * torch::fft::rfft(shiftB_, 2 * N).conj();
    const auto lags = torch::fft::irfft(spectrum, 2 * N).narrow(1, 0, N);
    return lags + torch::constant_pad_nd(shiftSkip_.unsqueeze(1), { 0, N - 1 });
}

DiagonalSsm H3Branch::ssm() const
{
    const auto type = cRe_.scalar_type();
    const auto dt = torch::exp(logDt_.to(torch::kDouble)).unsqueeze(1); // (H,1)
    const Complex half { -0.5 * dt * torch::exp(logARe_.to(torch::kDouble)), 0.5 * dt * aIm_.to(torch::kDouble) };
    const Complex below { 1 - half.re, -half.im };
    const auto lambda = divide({ 1 + half.re, half.im }, below);
    // 2: each state stands for a conjugate pair.
    const Complex step { 2 * dt * bRe_.to(torch::kDouble), 2 * dt * bIm_.to(torch::kDouble) };
    const auto scale = divide(step, below);
    return { lambda, Complex { cRe_, cIm_ } * Complex { scale.re.to(type), scale.im.to(type) } };
}

Tensor H3Branch::forward(const Tensor& u, const Pass& pass, std::int64_t, BlockState* state)
{
    const auto B = u.size(0), T = u.size(1), D = u.size(2), d = headWidth_, H = D / d;
    const auto type = skip_.scalar_type(); // both state spaces work in fp32 whatever the matrices do
    const auto read = [&](const Tensor& w, const Tensor& bias) { return project(u, w, bias, pass).to(type); };
    const auto q = read(query_, queryBias_), v = read(value_, valueBias_); // (B,T,D)
    const bool reading = state && !torch::GradMode::is_enabled();
    const bool known = reading && state->shiftKernel.defined() && state->shiftKernel.device() == u.device();
    const auto kernel = known ? state->shiftKernel : shiftKernel();
    const auto space = known ? state->space : ssm();
    if (reading) state->shiftKernel = kernel, state->space = space;
    const auto k = causalFir(kernel, read(key_, keyBias_), state ? &state->shift : nullptr);

    // Each entry of a head's k v^T runs through the head's state space like a sequence of its own.
    const auto pairs = k.reshape({ B, T, H, d, 1 }) * v.view({ B, T, H, 1, d });
    const auto m = pairs.permute({ 0, 3, 4, 1, 2 }).reshape({ B * d * d, T, H });
    if (pass.watch) pass.watch->stateSpace(space, skip_, m);
    const auto s = ssmContinue(space, m, state ? &state->ssm : nullptr, scanChunk) + skip_ * m;
    const auto memory = s.view({ B, d, d, T, H }).permute({ 0, 3, 4, 1, 2 }); // (B,T,H,d,d)
    const auto o = d == 1 ? q * memory.reshape({ B, T, D }) : (q.view({ B, T, H, d, 1 }) * memory).sum(3);
    return project(o.reshape({ B, T, D }), output_, outputBias_, pass);
}

} // namespace pha
