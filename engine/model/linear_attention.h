// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/torch/torch.h"

/// Causal attention without a softmax (models.md 9): the weight of key j for query i is a product of features. P runs
/// over all heads of all sequences; F features; fp32, or fp64 in tests.
namespace pha {

using torch::Tensor;

/// phi(z) = [softmax(z), softmax(-z)], or [exp(z), exp(-z)] with z clamped to +-12; at least 1e-12 (models.md 19.16).
/// z (...,d) -> (...,2d). Keeps its result alone for backward.
Tensor featureMap(const Tensor& z, bool exponential);

/// y_i = sum_{j<=i} (q_i . k_j) v_j: q, k (P,T,F), v (P,T,d) -> (P,T,d). Works in chunks, with the sum of k v^T carried
/// between them; backward keeps q, k and v and forms these sums again.
/// `sums` (P,F,d) is that sum over everything before: read if defined, and moved on. No gradient flows through it.
Tensor causalLinear(const Tensor& q, const Tensor& k, const Tensor& v, Tensor* sums = nullptr, std::int64_t chunk = 64);

/// The same with weights that sum to 1: y_i = sum a_ij v_j, a_ij = q_i . k_j / (sum_{m<=i} q_i . k_m + 1e-12).
/// `sums` (P,F,d+1) carries the denominators in its last column.
Tensor linearAttention(
    const Tensor& q, const Tensor& k, const Tensor& v, Tensor* sums = nullptr, std::int64_t chunk = 64);

} // namespace pha
