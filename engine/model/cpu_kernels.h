// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/torch/torch.h"

#include <utility>

/// Fused loops for the CPU, fp32 and bf16 with fp32 arithmetic. Each has a form in plain tensor operations (ops.cpp)
/// that a test holds it to. Inputs contiguous, last axis = features.
namespace pha {

using torch::Tensor;

/// -> y (same shape, dtype `out`) and 1/rms of each row (fp32).
std::pair<Tensor, Tensor> rmsNormForwardCpu(const Tensor& x, const Tensor& gain, torch::Dtype out, double eps);
/// -> gradient of x (x's dtype) and of gain (undefined if gain is).
std::pair<Tensor, Tensor> rmsNormBackwardCpu(
    const Tensor& dy, const Tensor& x, const Tensor& gain, const Tensor& inverse);

Tensor swigluForwardCpu(const Tensor& gate, const Tensor& up);
std::pair<Tensor, Tensor> swigluBackwardCpu(const Tensor& dy, const Tensor& gate, const Tensor& up);

/// h[t] = a[t] h[t-1] + b[t] along axis 1 of (B,T,C), h[-1] = start (B,C). fp32 or fp64.
Tensor scanForwardCpu(const Tensor& a, const Tensor& b, const Tensor& start);
/// L[t] = g[t] + a[t+1] L[t+1]: the reverse scan of the backward pass.
Tensor scanBackwardCpu(const Tensor& a, const Tensor& g);

/// In place, for a block of attention scores s (G,R,K) in which row r of a group belongs to query `first + r % queries`
/// and may see keys up to and including `offset + first + r % queries`: s becomes the softmax, later keys 0. Returns
/// the log of the row sums (G,R), fp32.
Tensor causalSoftmaxCpu(Tensor& s, std::int64_t queries, std::int64_t first, std::int64_t offset);
/// The same rows in the backward pass: s holds scores and becomes p = exp(s - lse); dp becomes p (dp - delta), the
/// gradient of the scores. delta, lse (G,R) fp32.
void causalSoftmaxBackwardCpu(Tensor& s, Tensor& dp, const Tensor& lse, const Tensor& delta, std::int64_t queries,
    std::int64_t first, std::int64_t offset);

/// Rows of logits (R,V): returns -ln softmax[target] (R) fp32, 0 for targets of -100. With `gradient` the logits become
/// softmax - onehot (0 for unscored rows). `correct` (R, bool) may be undefined.
Tensor softmaxLossCpu(Tensor& logits, const Tensor& targets, bool gradient, Tensor& correct);

/// One AdamW update in a single pass over a parameter: m, v, w are changed in place. `scale` multiplies the gradient.
void adamwCpu(Tensor& w, Tensor& m, Tensor& v, const Tensor& g, double rate, double beta1, double beta2, double epsilon,
    double decay, double correction1, double correction2, double scale);

/// Sum of squares in double.
double sumSquaresCpu(const Tensor& x);

} // namespace pha
