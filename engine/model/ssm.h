// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/torch/torch.h"

/// Diagonal state spaces (models.md 3.1): x_t = lambda x_{t-1} + u_t, y_t = Re(sum_n c_n x_{t,n}), one per channel.
/// h channels, P complex states; `g` is h when every channel has its own states (s4d) and 1 when all share them (dss).
namespace pha {

using torch::Tensor;

/// Real and imaginary part. Two real tensors behave alike in every LibTorch and under autograd.
struct Complex {
    Tensor re, im;
};
Complex operator*(const Complex& a, const Complex& b);

struct DiagonalSsm {
    Complex lambda; ///< (g,P), fp64: powers of it are formed before anything is rounded
    Complex c; ///< (h,P), fp32; carries the input scale and the factor 2 of conjugate pairs
};

/// State of a sequence: (B,h,P) each part, fp32.
using SsmState = Complex;

/// y = K * u for all t at once, by matrix products inside chunks and states between them; O(T) memory with a small
/// constant. u (B,T,h) fp32 -> (B,T,h). A `state` that is defined is read first and left as it is after the last step.
Tensor ssmChunked(const DiagonalSsm& ssm, const Tensor& u, SsmState* state, std::int64_t chunk = 0);

/// The same without a state, by Fourier transforms of the kernel K (h,T).
Tensor ssmFft(const DiagonalSsm& ssm, const Tensor& u);
/// Length of such a transform: even, a product of small primes, room for the tail, so that the future does not wrap
/// around.
std::int64_t fftSize(std::int64_t length);

/// Writes a state that there is where it lies, so that a captured step finds it there again; a copy if there is none
/// yet, or if gradients are followed.
void carry(Tensor& state, const Tensor& value);

/// One step: u (B,h) -> y (B,h), state carried on. O(1) in the position.
Tensor ssmStep(const DiagonalSsm& ssm, const Tensor& u, SsmState& state);

/// Reads on: a step if u is one token and `state` has a past, chunks otherwise.
Tensor ssmContinue(const DiagonalSsm& ssm, const Tensor& u, SsmState* state, std::int64_t chunk = 0);

/// K[c,l] = Re sum_n c_n lambda_n^l, l < length: (h,length). Two-level, so that no (h,P,length) tensor exists.
Tensor ssmKernel(const DiagonalSsm& ssm, std::int64_t length);

/// Tokens after which half is left of what came into a state, ln 2 / -ln |lambda|: (g,P) fp64.
Tensor halfLives(const DiagonalSsm& ssm);

/// y_t = sum_{i<N} K[c,i] u_{t-i}, a causal filter a channel by matrix products over chunks of N: kernel (h,N),
/// u (B,T,h) -> (B,T,h). `past` holds the N inputs before u (B,N,h), undefined at the start of a text, and moves on.
Tensor causalFir(const Tensor& kernel, const Tensor& u, Tensor* past);

} // namespace pha
