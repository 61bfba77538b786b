// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cpu/kernels.h"
#include "engine/model/fused_ops.h"

#include <ATen/Parallel.h>

/// fused_ops.h on processors, in fp32: the loops of engine/model/cpu between products of the library.
namespace pha::cpu {

Tensor norm(Tensor& x, Update& update, const Tensor& gain);
QueryKeyValue queryKeyValue(const Tensor& u, const Tensor& query, const Tensor& key, const Tensor& value,
    const Tensor& headScale, const Rope& rope, const HeadOptions& options);
Tensor feedForward(const std::string& kind, const Tensor& u, const Tensor& gate, const Tensor& up, const Tensor& down);
bool gssFits(const ModelConfig& config);
DiagonalSsm spectrum(
    const Tensor& logDt, const Tensor& logARe, const Tensor& aIm, const Tensor& cRe, const Tensor& cIm);
Tensor gss(const Tensor& u, const GssWeights& w, const DiagonalSsm& ssm, SsmState* state);

/// causalAttention() of fp32 tensors.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v);

/// x (...,in) w (out,in)^T.
Tensor project(const Tensor& x, const Tensor& w);

// Without autograd: a (m,k) b (k,n), the same into `out`, which may be a part of a larger one, and x (R,in) w
// (out,in)^T, for a few rows by a loop that reads w once.
Tensor productOf(const Tensor& a, const Tensor& b);
void productInto(const Tensor& out, const Tensor& a, const Tensor& b, bool add = false);
Tensor matrixProduct(const Tensor& x, const Tensor& w);
bool fewRowsFit(const Tensor& x, const Tensor& w);

// Tensors as the loops' pointers.
inline float* floats(const Tensor& t) { return t.defined() && t.numel() ? t.data_ptr<float>() : nullptr; }
/// An autograd function takes no undefined tensors: an empty one stands for none.
inline Tensor orEmpty(const Tensor& t) { return t.defined() ? t : torch::empty({ 0 }); }
inline Tensor rowsOf(const Tensor& x) { return x.reshape({ -1, x.size(-1) }).contiguous(); }
inline std::vector<std::int64_t> withLast(const Tensor& x, std::int64_t last)
{
    auto sizes = x.sizes().vec();
    sizes.back() = last;
    return sizes;
}
inline constexpr std::int64_t worthAThread = 16384; ///< numbers
/// f(from, to) over ranges of [0, count), each number of which stands for `weight` numbers of work.
template <class F> void inParallel(std::int64_t count, std::int64_t weight, F&& f)
{
    at::parallel_for(0, count, std::max<std::int64_t>(1, worthAThread / std::max<std::int64_t>(1, weight)), f);
}

} // namespace pha::cpu
