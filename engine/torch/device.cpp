// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/torch/device.h"

#include "engine/base/address_space.h"
#include "engine/base/error.h"
#include "engine/model/fused_cpu.h"
#include "engine/model/fused_ops.h"
#include "engine/torch/cpu_allocator.h"
#include "engine/torch/torch_version.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <dlfcn.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace pha {

namespace {

int availableProcessors()
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
    return 1;
}

std::string cpuFlags()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("flags")) return line + " ";
    return {};
}

std::int64_t physicalMemory() { return std::int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE); }

double seconds(std::chrono::steady_clock::time_point since)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

} // namespace

std::string blasLibrary()
{
    void* symbol = dlsym(RTLD_DEFAULT, "sgemm_");
    if (!symbol) { // the engine is opened with local symbols: look where LibTorch itself looks
        for (const char* name : { "libblas.so.3", "libopenblas.so.0", "libmkl_intel_lp64.so" })
            if (void* library = dlopen(name, RTLD_NOW | RTLD_NOLOAD)) {
                symbol = dlsym(library, "sgemm_");
                if (symbol) break;
            }
    }
    Dl_info info {};
    if (!symbol || dladdr(symbol, &info) == 0 || !info.dli_fname) return {};
    std::error_code error;
    const auto path = std::filesystem::canonical(info.dli_fname, error);
    return error ? info.dli_fname : path.string();
}

torch::Device chooseDevice(const std::string& name)
{
    const bool cuda = torch::cuda::is_available();
    if (name == "cuda" && !cuda)
        throw ConfigError("device", "cuda", "cpu or auto, because this LibTorch sees no CUDA device");
    return cuda && name != "cpu" ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
}

void requireDevices(const torch::Device& device, std::int64_t devices)
{
    const auto cards = device.is_cuda() ? std::int64_t(torch::cuda::device_count()) : devices;
    if (devices > cards)
        throw ConfigError("devices", std::to_string(devices),
            "at most " + std::to_string(cards) + ", the cards that this LibTorch sees");
}

int useThreads(int wanted)
{
    const int threads = std::clamp(wanted > 0 ? wanted : availableProcessors(), 1, 256);
    static std::atomic<int> roomFor { 0 }; // OpenBLAS keeps its buffers: what was there is not asked for again
    if (threads > roomFor) {
        requireProductBuffers(threads);
        roomFor = threads;
    }
    at::set_num_threads(threads);
    return threads;
}

namespace {

/// Looked up by name: the program must also start on machines whose BLAS is another one. Null: there is none.
template <class Function> Function* openblas(const char* function)
{
    for (const char* name : { "libblas.so.3", "libopenblas.so.0" })
        if (void* library = dlopen(name, RTLD_NOW | RTLD_NOLOAD)) {
            auto* found = reinterpret_cast<Function*>(dlsym(library, function));
            dlclose(library); // it stays: LibTorch holds it
            if (found) return found;
        }
    return nullptr;
}

} // namespace

bool blasHasOwnThreads()
{
    static const bool own = [] {
        constexpr int plainThreads = 1; // of what openblas_get_parallel() may answer
        auto* parallel = openblas<int()>("openblas_get_parallel");
        return parallel && parallel() == plainThreads;
    }();
    return own;
}

void useBlasThreads(torch::Dtype matrix)
{
    if (!blasHasOwnThreads()) return; // told so, one built on OpenMP would take the threads from LibTorch too
    if (auto* set = openblas<void(int)>("openblas_set_num_threads"))
        set(matrix == torch::kBFloat16 ? 1 : at::get_num_threads());
}

std::string precisionName(torch::Dtype dtype) { return dtype == torch::kBFloat16 ? "bf16" : "fp32"; }

double measureGemm(
    const torch::Device& device, torch::Dtype dtype, std::int64_t rows, std::int64_t inner, std::int64_t columns)
{
    const torch::NoGradGuard guard;
    const auto options = torch::dtype(dtype).device(device);
    // Products of equal numbers need less power and run faster than any real one. Not drawn on the device: a run that
    // measures draws its dropout masks from the generator there.
    const auto noise = torch::randn({ 1 << 20 }, at::detail::createCPUGenerator(1), torch::kFloat).to(options);
    const auto spread = [&](std::int64_t count) {
        const auto wanted = count * inner;
        return noise.repeat({ wanted / noise.numel() + 1 }).narrow(0, 0, wanted).view({ count, inner }).contiguous();
    };
    const auto a = spread(rows), b = spread(columns);
    const int together = device.is_cpu() ? 1 : 4; // a processor may take longer for one than all shall last
    const auto rate = [&](auto&& product) {
        product();
        synchronize(device);
        const auto start = std::chrono::steady_clock::now();
        std::int64_t count = 0;
        do {
            for (int i = 0; i < together; ++i, ++count) product();
            synchronize(device);
        } while (seconds(start) < 0.1);
        return 2.0 * double(rows) * double(inner) * double(columns) * double(count) / seconds(start);
    };
    const auto library = rate([&] { at::linear(a, b); });
    if (!device.is_cpu() || dtype != torch::kFloat) return library;
    return std::max(library, rate([&] { cpu::productOf(a, b.t()); })); // what the network's products are made of there
}

double measureRead(const torch::Device& device)
{
    const torch::NoGradGuard guard;
    const std::int64_t bytes = std::int64_t(device.is_cuda() ? 8 : 1) << 29; // far more than any cache
    const auto memory = torch::ones({ bytes / 4 }, torch::dtype(torch::kFloat).device(device));
    readAll(memory);
    synchronize(device);
    const auto start = std::chrono::steady_clock::now();
    std::int64_t count = 0;
    do {
        for (int i = 0; i < 4; ++i, ++count) readAll(memory);
        synchronize(device);
    } while (seconds(start) < 0.1);
    return double(bytes) * double(count) / seconds(start);
}

torch::Dtype choosePrecision(
    const std::string& name, const torch::Device& device, const ModelConfig& model, std::int64_t rows)
{
    if (name == "fp32") return torch::kFloat;
    if (name == "bf16" || device.is_cuda()) return torch::kBFloat16;
    if (cpuFlags().find(" avx512_bf16 ") == std::string::npos && cpuFlags().find(" amx_bf16 ") == std::string::npos)
        return torch::kFloat;
    // The shape of the widest products of a block. bf16 also halves what activations move, fp32 spares the conversions.
    const auto n = std::clamp<std::int64_t>(rows, 256, 4096), wide = std::max(model.mainWidth, model.gssExpand);
    return measureGemm(device, torch::kBFloat16, n, model.width, wide)
            > 1.1 * measureGemm(device, torch::kFloat, n, model.width, wide)
        ? torch::kBFloat16
        : torch::kFloat;
}

EngineInfo describeMachine()
{
    EngineInfo info;
    info.version = PHA_VERSION;
    info.libtorch = TORCH_VERSION;
    info.blas = blasLibrary();
    const auto config = at::show_config();
    const bool mkl = config.find("BLAS_INFO=mkl") != std::string::npos;
    if (info.blas.empty()) info.blas = mkl ? "MKL (inside LibTorch)" : "inside LibTorch";
    // Debian's reference BLAS lives in .../blas/libblas.so.3; its replacements in folders of their own.
    info.slowBlas = info.blas.find("/blas/libblas.so") != std::string::npos;
    const auto flags = cpuFlags();
    for (const char* flag : { "avx2", "avx512f", "avx512_bf16", "amx_bf16" })
        if (flags.find(" " + std::string(flag) + " ") != std::string::npos)
            info.cpuCapability += (info.cpuCapability.empty() ? "" : " ") + std::string(flag);
    info.bf16 = flags.find(" avx512_bf16 ") != std::string::npos || flags.find(" amx_bf16 ") != std::string::npos;
    info.threads = availableProcessors();
    const auto processor = processorName();
    info.devices.push_back({ "cpu", processor.empty() ? "CPU" : processor, physicalMemory() });
    const int cards = torch::cuda::is_available() ? int(torch::cuda::device_count()) : 0;
    for (int i = 0; i < cards; ++i)
        info.devices.push_back({ "cuda:" + std::to_string(i), deviceName(i), deviceMemory(i) });
    if (info.slowBlas)
        info.warning = "LibTorch multiplies matrices with the reference BLAS (" + info.blas
            + "), some 30 times slower than an optimised one; install libopenblas0-pthread";
    return info;
}

std::int64_t processBytes()
{
    std::ifstream file("/proc/self/statm");
    std::int64_t total = 0, resident = 0;
    file >> total >> resident;
    return resident * sysconf(_SC_PAGE_SIZE);
}

namespace {
int indexOf(const torch::Device& card) { return std::max<int>(card.index(), 0); }
} // namespace

std::int64_t peakBytes(const torch::Device& device)
{
    return device.is_cuda() ? cudaPeakBytes(indexOf(device)) : cpuPeakBytes();
}

void resetPeakBytes(const torch::Device& device)
{
    if (device.is_cuda())
        resetCudaPeak(indexOf(device));
    else
        resetCpuPeakBytes();
}

void synchronize(const torch::Device& device)
{
    if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

std::unique_ptr<HardwareMeter> meterOf(const torch::Device& device)
{
    return device.is_cuda() ? cardMeter(pciAddress(indexOf(device))) : processorMeter();
}

} // namespace pha
