// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/hardware_meter.h"
#include "engine/engine.h"
#include "engine/torch/torch.h"

#include <string>

namespace pha {

/// "auto" takes CUDA when this LibTorch sees a card. Throws ConfigError when the device asked for is not there.
torch::Device chooseDevice(const std::string& name);
/// Throws ConfigError when there are fewer cards than a run is to be shared by.
void requireDevices(const torch::Device& device, std::int64_t devices);
/// Threads that a job uses: `wanted`, or for 0 the processors that this process may use, at most the physical cores
/// known to help small models. Sets it for the calling thread: LibTorch keeps the count per thread.
int useThreads(int wanted);
/// OpenBLAS built on plain threads spins beside LibTorch's own OpenMP threads. Where bf16 products go to oneDNN it is
/// left one thread (a quarter more tokens a second on two cores); with fp32 it needs them all. Other libraries follow
/// OpenMP.
void useBlasThreads(torch::Dtype matrix);
bool blasHasOwnThreads(); ///< beside those of OpenMP
/// The precision of matrix products. "auto" measures fp32 against bf16 products of the model's shape on this machine.
torch::Dtype choosePrecision(
    const std::string& name, const torch::Device& device, const ModelConfig& model, std::int64_t rows);
std::string precisionName(torch::Dtype dtype); ///< "fp32", "bf16"

EngineInfo describeMachine();
/// The library that sgemm_ comes from, with symbolic links resolved ("/usr/lib/.../openblas-pthread/libblas.so.3").
std::string blasLibrary();
std::int64_t processBytes(); ///< resident set
std::int64_t peakBytes(const torch::Device& device);
void resetPeakBytes(const torch::Device& device);
void synchronize(const torch::Device& device);
/// Of the card, or of the processor; null where neither tells.
std::unique_ptr<HardwareMeter> meterOf(const torch::Device& device);

/// Rate of a matrix product in FLOP/s: the yardstick for throughput. Takes some tenths of a second.
double measureGemm(
    const torch::Device& device, torch::Dtype dtype, std::int64_t rows, std::int64_t inner, std::int64_t columns);

/// Rate at which memory is read in bytes/s: the yardstick for writing token by token. Takes some tenths of a second.
double measureRead(const torch::Device& device);

} // namespace pha
