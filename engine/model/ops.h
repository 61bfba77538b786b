// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/torch/torch.h"

/// The small vocabulary that every branch is written in. Letters: B batch, T time, D width; last axis = features.
namespace pha {

class DeviceCache;

using torch::Tensor;

/// y = x W^T with the product in `matrix` precision (fp32 or bf16). x (...,in), w (out,in) -> (...,out) in `matrix`
/// precision. Weights in double keep everything in double (tests). `bias` (out) may be undefined.
Tensor project(const Tensor& x, const Tensor& w, torch::Dtype matrix, const Tensor& bias = {});

inline constexpr double normEps = 1e-6;

/// x / sqrt(mean(x^2) + eps) * gain over the last axis, statistics in fp32 (models.md 2.1). `gain` may be undefined (=
/// 1). The result has dtype `out`.
Tensor rmsNorm(const Tensor& x, const Tensor& gain, torch::Dtype out, double eps = normEps);

inline constexpr double layerNormEps = 1e-5;

/// (x - mean) / sqrt(variance + 1e-5) * gain + bias over the last axis, statistics in fp32. The result has dtype `out`.
Tensor layerNorm(const Tensor& x, const Tensor& gain, const Tensor& bias, torch::Dtype out);

/// SwiGLU (models.md 2.5): (SiLU(gate) * up); the product is formed in one pass.
Tensor swiglu(const Tensor& gate, const Tensor& up);

/// Dropout with an explicit generator: sampling and evaluation elsewhere never change a training run. p = 0 returns x.
Tensor dropout(const Tensor& x, double p, const c10::optional<at::Generator>& generator);

/// Rotary angles: cos and sin (T, dh/2) in fp32 for absolute positions first ... first+T-1 (models.md 2.3).
struct Rope {
    Tensor cosine, sine;
};
Rope ropeTables(std::int64_t first, std::int64_t count, std::int64_t headWidth, double base,
    const torch::Device& device, torch::Dtype dtype);
/// Rotates pairs (i, i + dh/2) of x (B,T,H,dh).
Tensor applyRope(const Tensor& x, const Rope& rope);

/// Causal attention with grouped heads, scores used as given (q already scaled).
/// q (B,Tq,Hq,dh), k and v (B,Tk,Hkv,dh); query t sees keys up to Tk - Tq + t. -> (B,Tq,Hq,dh).
/// Works in blocks of queries and keeps no (T,T) matrix for backward: memory is linear in T.
Tensor causalAttention(const Tensor& q, const Tensor& k, const Tensor& v);

/// Sum of -ln softmax(h W^T)[target] over rows whose target is not -100; h (R,D), W (V,D), targets (R) int64.
/// Works in row chunks: never a whole (R,V). Gradients are formed in the same pass. `matrix` as in project().
/// `cache` of the model that W belongs to: with it, a card uses the fused kernels. `losses` is given those of the rows.
Tensor crossEntropySum(const Tensor& h, const Tensor& w, const Tensor& targets, torch::Dtype matrix,
    DeviceCache* cache = nullptr, std::vector<Tensor>* losses = nullptr);

/// Per-row -ln p of the targets, fp32 (R); and whether the target was the most probable token. No gradients.
struct TokenScores {
    Tensor nll, correct;
};
TokenScores scoreTokens(
    const Tensor& h, const Tensor& w, const Tensor& targets, torch::Dtype matrix, DeviceCache* cache = nullptr);

} // namespace pha
