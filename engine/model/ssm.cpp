// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/ssm.h"

#include <cmath>

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Complex operator*(const Complex& a, const Complex& b)
{
    return { a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

namespace {

Complex to(const Complex& x, torch::Dtype dtype) { return { x.re.to(dtype), x.im.to(dtype) }; }

/// lambda (g,P) -> its powers (g,P,count+1) in fp64, in a few operations: on a card their number is what costs.
struct PowersFunction : torch::autograd::Function<PowersFunction> {
    static variable_list forward(AutogradContext* ctx, const Tensor& re, const Tensor& im, std::int64_t count)
    {
        const auto order = torch::arange(count + 1, re.options().requires_grad(false));
        const auto size = (re.square() + im.square()).clamp_min(1e-300).log().mul(0.5).unsqueeze(-1);
        const auto angle = torch::atan2(im, re).unsqueeze(-1) * order, length = (size * order).exp_();
        const variable_list out { length * angle.cos(), length * angle.sin() };
        ctx->save_for_backward({ out[0], out[1], order });
        return out;
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        // d lambda^l = l lambda^(l-1) d lambda
        const auto saved = ctx->get_saved_variables();
        const auto count = saved[2].size(0) - 1;
        const auto of = [&](const Tensor& x) { return x.narrow(-1, 0, count); };
        const auto weight = saved[2].narrow(0, 1, count);
        const auto re = of(saved[0]) * weight, im = of(saved[1]) * weight;
        const auto dre = gradients[0].narrow(-1, 1, count), dim = gradients[1].narrow(-1, 1, count);
        return { (re * dre + im * dim).sum(-1), (re * dim - im * dre).sum(-1), Tensor() };
    }
};

/// lambda^0 ... lambda^count: (g,P,count+1), in the precision of lambda.
Complex powers(const Complex& lambda, std::int64_t count)
{
    const auto out = PowersFunction::apply(lambda.re, lambda.im, count);
    return { out[0], out[1] };
}

/// Chunks whose Toeplitz matrix costs about as much as the states it saves.
std::int64_t chooseChunk(std::int64_t length, std::int64_t given)
{
    if (given > 0) return std::min(given, length);
    return length <= 256 ? length : 128;
}

/// Lower triangular Toeplitz matrices (h,C,C) of kernels (h,C), columns reversed: entry (t,i) = K[t - (C-1-i)].
Tensor reversedToeplitz(const Tensor& kernel)
{
    const auto C = kernel.size(1);
    return torch::constant_pad_nd(kernel, { C - 1, 0 }).unfold(1, C, 1);
}

/// u (B,T,h), T = J C -> (h,C,B*J), time inside a chunk reversed.
Tensor reversedChunks(const Tensor& u, std::int64_t C)
{
    const auto B = u.size(0), J = u.size(1) / C, h = u.size(2);
    return u.view({ B, J, C, h }).permute({ 3, 2, 0, 1 }).flip(1).reshape({ h, C, B * J });
}

/// Products with powers of lambda: (g,R,K) x (h,K,M) -> (h,R,M), where g is h or 1.
Tensor withShared(const Tensor& matrix, const Tensor& x)
{
    if (matrix.size(0) == x.size(0)) return torch::bmm(matrix, x);
    const auto h = x.size(0), K = x.size(1), M = x.size(2), R = matrix.size(1);
    return torch::mm(matrix.squeeze(0), x.permute({ 1, 0, 2 }).reshape({ K, h * M }))
        .view({ R, h, M })
        .permute({ 1, 0, 2 });
}

/// States at the start of every chunk (h,P,B,J) from what each chunk adds (h,P,B,J); `last` = after the final chunk
/// (B,h,P).
Complex chunkStarts(const Complex& added, const Complex& decay, const SsmState& first, SsmState& last)
{
    const auto J = added.re.size(3);
    Complex x { first.re.permute({ 1, 2, 0 }), first.im.permute({ 1, 2, 0 }) }; // (h,P,B)
    std::vector<Tensor> re, im;
    for (std::int64_t j = 0; j < J; ++j) {
        re.push_back(x.re);
        im.push_back(x.im);
        const auto kept = decay * x;
        x = { kept.re + added.re.select(3, j), kept.im + added.im.select(3, j) };
    }
    last = { x.re.permute({ 2, 0, 1 }).contiguous(), x.im.permute({ 2, 0, 1 }).contiguous() };
    return { torch::stack(re, 3), torch::stack(im, 3) };
}

} // namespace

Tensor ssmKernel(const DiagonalSsm& ssm, std::int64_t length)
{
    const auto dtype = ssm.c.re.scalar_type();
    const auto fine = std::int64_t(std::ceil(std::sqrt(double(length)))), coarse = (length + fine - 1) / fine;
    const auto first = powers(ssm.lambda, fine); // (g,P,fine+1)
    const auto inner = to(first, dtype);
    const Complex jump { first.re.select(-1, fine), first.im.select(-1, fine) }; // lambda^fine
    const auto outer = to(powers(jump, coarse - 1), dtype); // (g,P,coarse)
    // K[c, j fine + l] = sum_n Re(c lambda^(j fine)) Re(lambda^l) - Im(c lambda^(j fine)) Im(lambda^l)
    const auto scaled = Complex { ssm.c.re.unsqueeze(-1), ssm.c.im.unsqueeze(-1) } * outer; // (h,P,coarse)
    const auto left = torch::cat({ scaled.re, -scaled.im }, 1).transpose(1, 2); // (h,coarse,2P)
    const auto right =
        torch::cat({ inner.re, inner.im }, 1).narrow(2, 0, fine).expand({ left.size(0), -1, -1 }); // (h,2P,fine)
    return torch::bmm(left, right).reshape({ left.size(0), coarse * fine }).narrow(1, 0, length);
}

Tensor halfLives(const DiagonalSsm& ssm)
{
    const auto size = ssm.lambda.re.square() + ssm.lambda.im.square();
    return std::log(2.0) / (-0.5 * size.to(torch::kDouble).log());
}

std::int64_t fftSize(std::int64_t length)
{
    for (auto size = 2 * length;; size += 2) {
        auto rest = size;
        for (const int prime : { 2, 3, 5, 7 })
            while (rest % prime == 0) rest /= prime;
        if (rest == 1) return size;
    }
}

Tensor ssmFft(const DiagonalSsm& ssm, const Tensor& u)
{
    const auto T = u.size(1), size = fftSize(T);
    const auto kernel = torch::fft::rfft(ssmKernel(ssm, T), size); // (h,F)
    const auto signal = torch::fft::rfft(u.transpose(1, 2).contiguous(), size); // (B,h,F)
    return torch::fft::irfft(signal * kernel, size).narrow(2, 0, T).transpose(1, 2);
}

Tensor ssmChunked(const DiagonalSsm& ssm, const Tensor& input, SsmState* state, std::int64_t given)
{
    const auto B = input.size(0), T = input.size(1), h = input.size(2), P = ssm.lambda.re.size(1);
    const auto C = chooseChunk(T, given), J = (T + C - 1) / C;
    if (state && T != J * C) { // a padded tail would age the state: whole chunks first, then the rest as one
        const auto whole = (J - 1) * C;
        const auto head = ssmChunked(ssm, input.narrow(1, 0, whole), state, C);
        return torch::cat({ head, ssmChunked(ssm, input.narrow(1, whole, T - whole), state, T - whole) }, 1);
    }
    const auto dtype = input.scalar_type();
    const auto u = T == J * C ? input.contiguous() : torch::constant_pad_nd(input, { 0, 0, 0, J * C - T });
    const auto local = reversedChunks(u, C); // (h,C,B*J)
    auto y = torch::bmm(reversedToeplitz(ssmKernel(ssm, C)), local); // (h,C,B*J)

    if (J > 1 || state) {
        const auto power = to(powers(ssm.lambda, C), dtype); // (g,P,C+1)
        const auto stacked = torch::cat({ power.re, power.im }, 1); // (g,2P,C+1)
        // What a chunk adds to the state at its end: sum_i lambda^(C-1-i) u_i. Time is reversed, so powers rise with
        // the row.
        const auto added = withShared(stacked.narrow(2, 0, C), local).view({ h, 2 * P, B, J });
        const Complex sums { added.narrow(1, 0, P), added.narrow(1, P, P) };
        const Complex decay { power.re.select(2, C).unsqueeze(-1), power.im.select(2, C).unsqueeze(-1) }; // (g,P,1)
        const bool carried = state && state->re.defined();
        const auto zero = carried ? Tensor() : torch::zeros({ B, h, P }, u.options().requires_grad(false));
        SsmState last;
        const auto starts = chunkStarts(sums, decay, carried ? *state : SsmState { zero, zero }, last);
        if (J > 1 || carried) { // y_t += Re(c lambda^(t+1) x), x the state before the chunk
            const auto seen = Complex { ssm.c.re.view({ h, P, 1, 1 }), ssm.c.im.view({ h, P, 1, 1 }) } * starts;
            const auto x = torch::cat({ seen.re, -seen.im }, 1).reshape({ h, 2 * P, B * J });
            y = y + withShared(stacked.narrow(2, 1, C).transpose(1, 2), x);
        }
        if (state) *state = last;
    }
    return y.view({ h, C, B, J }).permute({ 2, 3, 1, 0 }).reshape({ B, J * C, h }).narrow(1, 0, T);
}

void carry(Tensor& state, const Tensor& value)
{
    if (state.defined() && !torch::GradMode::is_enabled())
        state.copy_(value);
    else
        state = value.clone(); // a view would keep the whole prompt
}

Tensor ssmStep(const DiagonalSsm& ssm, const Tensor& u, SsmState& state)
{
    const auto dtype = u.scalar_type();
    const auto lambda = to(ssm.lambda, dtype);
    const auto next = lambda * state;
    carry(state.re, next.re + u.unsqueeze(-1));
    carry(state.im, next.im);
    return (ssm.c.re * state.re - ssm.c.im * state.im).sum(-1);
}

Tensor ssmContinue(const DiagonalSsm& ssm, const Tensor& u, SsmState* state, std::int64_t chunk)
{
    if (!state || u.size(1) > 1 || !state->re.defined()) return ssmChunked(ssm, u, state, chunk);
    return ssmStep(ssm, u.squeeze(1), *state).unsqueeze(1);
}

Tensor causalFir(const Tensor& kernel, const Tensor& u, Tensor* past)
{
    const auto B = u.size(0), T = u.size(1), h = u.size(2), N = kernel.size(1), J = (T + N - 1) / N;
    const auto before = past && past->defined() ? *past : torch::zeros({ B, N, h }, u.options().requires_grad(false));
    const auto all = torch::cat({ before, u }, 1); // (B,N+T,h)
    if (past) carry(*past, all.narrow(1, T, N));
    if (T == 1) return (all.narrow(1, 1, N) * kernel.flip(1).t()).sum(1, true);

    const auto padded = torch::constant_pad_nd(all, { 0, 0, 0, J * N - T });
    const auto chunks = reversedChunks(padded, N); // (h,N,B*(J+1))
    // Toeplitz rows 0 ... N-1: what a chunk does to itself; rows N ... 2N-1: to the chunk after it.
    const auto rows = torch::constant_pad_nd(kernel, { N - 1, N }).unfold(1, N, 1); // (h,2N,N)
    const auto both = torch::bmm(rows, chunks).view({ h, 2, N, B, J + 1 });
    const auto y = both.select(1, 0).narrow(3, 1, J) + both.select(1, 1).narrow(3, 0, J); // (h,N,B,J)
    return y.permute({ 2, 3, 1, 0 }).reshape({ B, J * N, h }).narrow(1, 0, T);
}

} // namespace pha
