// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// The one place that knows how LibTorch differs between 1.13.1 and 2.11.

#include "engine/torch/torch.h"

#include <torch/version.h>

#include <atomic>
#include <optional>
#include <string>
#include <type_traits>

#define PHA_TORCH_AT_LEAST(major, minor)                                                                               \
    (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

/// c10::Allocator::allocate lost its const, and gained copy_data, in 2.3.
#define PHA_TORCH_ALLOCATE_CONST (!PHA_TORCH_AT_LEAST(2, 3))

namespace pha {

/// True if this build has fused attention kernels for `device`.
inline bool hasFusedAttention(const torch::Device& device) { return PHA_TORCH_AT_LEAST(2, 1) && device.is_cuda(); }

/// cuDNN's attention kernels are 1.5 times as fast as the flash kernels that the general function prefers.
inline std::atomic<bool> cudnnAttentionWorks { PHA_TORCH_AT_LEAST(2, 6) }; ///< until one has failed on this card
inline bool cudnnAttentionFits(const torch::Tensor& q)
{
    return cudnnAttentionWorks && q.is_cuda() && q.scalar_type() == torch::kBFloat16 && q.size(-1) % 8 == 0
        && q.size(-1) <= 128;
}
/// What `f` returns, which calls these kernels; nothing on a card or with a cuDNN that lacks them, which is remembered.
/// Too little memory says nothing of the kernels: that error is the caller's.
template <class F> std::optional<std::invoke_result_t<F>> unlessCudnnLacks(F&& f)
{
    try {
        return f();
    } catch (const c10::OutOfMemoryError&) {
        throw;
    } catch (const c10::Error&) {
        cudnnAttentionWorks = false;
        return std::nullopt;
    }
}

/// Causal attention of q (B,Hq,T,dh), k and v (B,Hkv,T,dh) through the library's fused kernels. Scale 1.
inline torch::Tensor fusedCausalAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v)
{
    TORCH_CHECK(PHA_TORCH_AT_LEAST(2, 1), "this LibTorch has no fused attention");
#if PHA_TORCH_AT_LEAST(2, 6)
    if (cudnnAttentionFits(q)) {
        const bool gradient = torch::GradMode::is_enabled();
        const auto out = unlessCudnnLacks([&] {
            return std::get<0>(at::_scaled_dot_product_cudnn_attention(q, k, v, {}, gradient, 0.0, true, false, 1.0));
        });
        if (out) return *out;
    }
#endif
#if PHA_TORCH_AT_LEAST(2, 1)
    const auto repeat = q.size(1) / k.size(1);
    const auto heads = [&](const torch::Tensor& x) { return repeat == 1 ? x : x.repeat_interleave(repeat, 1); };
    return at::scaled_dot_product_attention(q, heads(k), heads(v), {}, 0.0, true, 1.0);
#else
    (void)k, (void)v;
    return q;
#endif
}

/// a (M,K) times b (K,N) of bf16 with an fp32 result, summed and stored in fp32.
inline torch::Tensor multiplyToFloat(const torch::Tensor& a, const torch::Tensor& b)
{
#if PHA_TORCH_AT_LEAST(2, 8)
    if (a.is_cuda() && a.scalar_type() != torch::kFloat) return at::mm(a, b, torch::kFloat);
#endif
    return at::mm(a, b).to(torch::kFloat);
}
/// sum (M,N) fp32 += a b.
inline void addProduct(torch::Tensor& sum, const torch::Tensor& a, const torch::Tensor& b)
{
#if PHA_TORCH_AT_LEAST(2, 8)
    if (a.is_cuda() && a.scalar_type() != torch::kFloat) {
        at::addmm_out(sum, sum, a, b, torch::kFloat);
        return;
    }
#endif
    sum.add_(at::mm(a, b));
}

inline constexpr bool hasFusedAdamW = PHA_TORCH_AT_LEAST(2, 4);

/// AdamW on many fp32 parameters of a card in a few launches.
class FusedAdamW {
public:
    void add(const torch::Tensor& w, const torch::Tensor& g, const torch::Tensor& m, const torch::Tensor& v)
    {
        w_.push_back(w);
        g_.push_back(g.contiguous());
        m_.push_back(m);
        v_.push_back(v);
    }
    /// `update` is 1 for the first one; gradients are divided by `divisor` first; nothing changes if `skip` is 1. All
    /// four are fp32 numbers on the card, and are read there.
    void step(const torch::Tensor& update, const torch::Tensor& rate, double beta1, double beta2, double epsilon,
        double decay, const torch::Tensor& divisor, const torch::Tensor& skip)
    {
#if PHA_TORCH_AT_LEAST(2, 4)
        const std::vector<torch::Tensor> steps(w_.size(), update);
        at::_fused_adamw_(w_, g_, m_, v_, {}, steps, rate, beta1, beta2, decay, epsilon, false, false, divisor, skip);
        for (const auto& w : w_) w.unsafeGetTensorImpl()->bump_version(); // the operator does not, the cache needs it
#else
        (void)update, (void)rate, (void)beta1, (void)beta2, (void)epsilon, (void)decay, (void)divisor, (void)skip;
#endif
    }

private:
    std::vector<torch::Tensor> w_, g_, m_, v_;
};

// CUDA memory figures without CUDA headers: through the allocator's generic interface where a build has one.
// ------------
#if PHA_HAS_CUDA
std::int64_t cudaPeakBytes(int index); ///< torch_cuda.cpp
void resetCudaPeak(int index);
std::int64_t deviceMemory(int index);
std::string deviceName(int index); ///< "NVIDIA H100 80GB HBM3"
std::string pciAddress(int index); ///< "0000:1b:00.0"; empty: unknown
#else
inline std::int64_t cudaPeakBytes(int) { return 0; }
inline void resetCudaPeak(int) { }
inline std::int64_t deviceMemory(int) { return 0; }
inline std::string deviceName(int) { return "CUDA device"; }
inline std::string pciAddress(int) { return {}; }
#endif

} // namespace pha
