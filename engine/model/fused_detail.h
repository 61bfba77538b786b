// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/kernels.h"
#include "engine/model/device_cache.h"
#include "engine/model/fused_card.h"
#include "engine/torch/torch_version.h"

#include <ATen/cuda/CUDAContext.h>

#include <algorithm>

/// What the fused functions share: tensors as the kernels' pointers.
namespace pha {

inline kernels::Stream stream() { return at::cuda::getCurrentCUDAStream().stream(); }
inline float* floats(const Tensor& t) { return t.defined() && t.numel() ? t.data_ptr<float>() : nullptr; }
inline void* raw(const Tensor& t) { return t.defined() && t.numel() ? t.data_ptr() : nullptr; }
/// An autograd function takes no undefined tensors: an empty one stands for none.
inline Tensor orEmpty(const Tensor& t, const Tensor& like)
{
    return t.defined() ? t : torch::empty({ 0 }, like.options().dtype(torch::kFloat).requires_grad(false));
}
inline Tensor rowsOf(const Tensor& x) { return x.reshape({ -1, x.size(-1) }); }
inline Tensor bf16Rows(const Tensor& x) { return rowsOf(x).to(torch::kBFloat16).contiguous(); }
inline std::vector<std::int64_t> withLast(const Tensor& x, std::int64_t last)
{
    auto sizes = x.sizes().vec();
    sizes.back() = last;
    return sizes;
}
/// x (R,in) w (out,in)^T, bf16.
inline Tensor matrixProduct(const Tensor& x, const Tensor& w)
{
    if (x.size(0) > kernels::mostFewRows || x.size(0) == 0 || x.size(1) % 8 != 0) return torch::mm(x, w.t());
    const auto y = torch::empty({ x.size(0), w.size(0) }, x.options());
    kernels::fewRows(raw(x), raw(w), raw(y), x.size(0), x.size(1), w.size(0), stream());
    return y;
}
/// Partial sums that a kernel leaves behind, one row a block.
inline Tensor partials(const Tensor& like, std::int64_t width)
{
    return torch::empty({ kernels::residualNormBlocks(), width }, like.options().dtype(torch::kFloat));
}
/// (..., rows, columns) fp32 summed over the rows.
inline Tensor columnSums(const Tensor& x)
{
    auto sizes = x.sizes().vec();
    sizes.erase(sizes.end() - 2);
    const auto out = torch::empty(sizes, x.options());
    kernels::columnSums(floats(x), floats(out), x.numel() / std::max<std::int64_t>(1, x.size(-2) * x.size(-1)),
        x.size(-2), x.size(-1), stream());
    return out;
}
/// dW = dy^T x with an fp32 result. dy (R,out), x (R,in).
inline Tensor weightGradient(const Tensor& dy, const Tensor& x) { return multiplyToFloat(dy.t(), x); }

} // namespace pha
