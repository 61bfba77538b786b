// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// The one place that knows how LibTorch differs between 1.13.1 and 2.11.

#include <torch/torch.h>
#include <torch/version.h>

#define PHA_TORCH_AT_LEAST(major, minor)                                                                               \
    (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

/// c10::Allocator::allocate lost its const, and gained copy_data, in 2.3.
#define PHA_TORCH_ALLOCATE_CONST (!PHA_TORCH_AT_LEAST(2, 3))

namespace pha {

/// True if this build has fused attention kernels for `device`.
inline bool hasFusedAttention(const torch::Device& device) { return PHA_TORCH_AT_LEAST(2, 1) && device.is_cuda(); }

/// Causal attention of (B,H,T,dh) with equal numbers of heads through the library's fused kernels. Scale 1.
inline torch::Tensor fusedCausalAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v)
{
#if PHA_TORCH_AT_LEAST(2, 1)
    return at::scaled_dot_product_attention(q, k, v, {}, 0.0, true, 1.0);
#else
    (void)k;
    (void)v;
    TORCH_CHECK(false, "this LibTorch has no fused attention");
    return q;
#endif
}

// CUDA memory figures without CUDA headers: through the allocator's generic interface where a build has one.
// ------------
#if PHA_HAS_CUDA
std::int64_t cudaBytes(bool peak); ///< torch_cuda.cpp
void resetCudaPeak();
std::int64_t deviceMemory(int index);
#else
inline std::int64_t cudaBytes(bool) { return 0; }
inline void resetCudaPeak() { }
inline std::int64_t deviceMemory(int) { return 0; }
#endif

} // namespace pha
