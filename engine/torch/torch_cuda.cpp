// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/torch/torch_version.h"

#if PHA_HAS_CUDA

#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>

namespace pha {

std::int64_t cudaPeakBytes(int index)
{
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(c10::DeviceIndex(index));
    return stats.allocated_bytes[0].peak; // 0: the aggregate of small and large pools
}

void resetCudaPeak(int index) { c10::cuda::CUDACachingAllocator::resetPeakStats(c10::DeviceIndex(index)); }

std::int64_t deviceMemory(int index)
{
    cudaDeviceProp properties {};
    return cudaGetDeviceProperties(&properties, index) == cudaSuccess ? std::int64_t(properties.totalGlobalMem) : 0;
}

std::string deviceName(int index)
{
    cudaDeviceProp properties {};
    return cudaGetDeviceProperties(&properties, index) == cudaSuccess ? properties.name : "CUDA device";
}

std::string pciAddress(int index)
{
    char text[32] {};
    return cudaDeviceGetPCIBusId(text, sizeof text, index) == cudaSuccess ? text : "";
}

} // namespace pha

#endif
