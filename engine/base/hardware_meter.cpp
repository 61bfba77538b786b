// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/hardware_meter.h"

#include <dlfcn.h>

#include <ctime>
#include <fstream>
#include <vector>

namespace pha {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto interval = std::chrono::milliseconds(200);

/// As nvml.h declares them; its numbers have been the same since the library exists.
struct Nvml {
    using Card = struct nvmlDevice*;
    struct Utilization {
        unsigned gpu, memory; ///< percent
    };
    int (*init)() = nullptr;
    int (*find)(const char* pciAddress, Card*) = nullptr;
    int (*utilization)(Card, Utilization*) = nullptr;
    int (*power)(Card, unsigned* milliwatts) = nullptr;
    int (*energy)(Card, unsigned long long* millijoules) = nullptr;
    int (*temperature)(Card, int sensor, unsigned* celsius) = nullptr;

    explicit Nvml(const char* library)
    {
        void* const handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        if (!handle) return;
        const auto take = [handle](auto& function, const char* name) {
            function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, name));
        };
        take(init, "nvmlInit_v2");
        take(find, "nvmlDeviceGetHandleByPciBusId_v2");
        take(utilization, "nvmlDeviceGetUtilizationRates");
        take(power, "nvmlDeviceGetPowerUsage");
        take(energy, "nvmlDeviceGetTotalEnergyConsumption"); // since Volta
        take(temperature, "nvmlDeviceGetTemperature");
    }
};

class CardMeter final : public HardwareMeter {
public:
    CardMeter(const Nvml& nvml, Nvml::Card card)
        : nvml_(nvml)
        , card_(card)
    {
    }

    std::optional<double> joules() override
    {
        unsigned long long counted = 0;
        if (!nvml_.energy || nvml_.energy(card_, &counted) != 0) return std::nullopt;
        return double(counted) / 1e3;
    }

private:
    HardwareReading ask() override
    {
        HardwareReading reading;
        Nvml::Utilization use {};
        unsigned value = 0;
        if (nvml_.utilization && nvml_.utilization(card_, &use) == 0) reading.use = double(use.gpu) / 100;
        if (nvml_.power && nvml_.power(card_, &value) == 0) reading.watts = double(value) / 1e3;
        if (nvml_.temperature && nvml_.temperature(card_, 0, &value) == 0) reading.celsius = double(value);
        return reading;
    }

    Nvml nvml_;
    Nvml::Card card_;
};

std::optional<double> numberIn(const std::filesystem::path& file)
{
    std::ifstream stream(file);
    double value = 0;
    return stream >> value ? std::optional(value) : std::nullopt;
}

/// Counters of one package each, in microjoules, which begin at 0 again after some minutes of full load.
class ProcessorMeter final : public HardwareMeter {
public:
    explicit ProcessorMeter(const std::filesystem::path& folder)
    {
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
            // "intel-rapl:0" is a package, also AMD's; "intel-rapl:0:1" a part of one, "intel-rapl-mmio:0" the same.
            const auto name = entry.path().filename().string();
            if (!name.starts_with("intel-rapl:") || name.find(':') != name.rfind(':')) continue;
            const auto now = numberIn(entry.path() / "energy_uj");
            const auto range = numberIn(entry.path() / "max_energy_range_uj");
            if (now && range) packages_.push_back({ entry.path() / "energy_uj", *range, *now });
        }
    }

    bool empty() const { return packages_.empty(); }

    std::optional<double> joules() override
    {
        for (auto& package : packages_) {
            const auto now = numberIn(package.file);
            if (!now) return std::nullopt;
            total_ += *now - package.last + (*now < package.last ? package.range : 0);
            package.last = *now;
        }
        return total_ / 1e6;
    }

private:
    HardwareReading ask() override { return {}; }

    struct Package {
        std::filesystem::path file;
        double range = 0, last = 0;
    };
    std::vector<Package> packages_;
    double total_ = 0;
};

} // namespace

const HardwareReading& HardwareMeter::read()
{
    const auto now = Clock::now();
    if (then_ != Clock::time_point() && now - then_ < interval) return last_;
    last_ = ask();
    // A card's power is asked in 20 microseconds, its energy in 3 milliseconds.
    const auto counted = last_.watts ? std::nullopt : joules();
    if (counted && joulesThen_)
        last_.watts = (*counted - *joulesThen_) / std::chrono::duration<double>(now - then_).count();
    joulesThen_ = counted;
    then_ = now;
    return last_;
}

std::unique_ptr<HardwareMeter> cardMeter(const std::string& pciAddress, const char* library)
{
    const Nvml nvml(library); // stays loaded: another meter may use it
    Nvml::Card card = nullptr;
    if (!nvml.init || !nvml.find || nvml.init() != 0 || nvml.find(pciAddress.c_str(), &card) != 0) return nullptr;
    return std::make_unique<CardMeter>(nvml, card);
}

std::unique_ptr<HardwareMeter> processorMeter(const std::filesystem::path& folder)
{
    auto meter = std::make_unique<ProcessorMeter>(folder);
    return meter->empty() ? nullptr : std::move(meter);
}

std::string processorName()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (const auto colon = line.find(": "); line.starts_with("model name") && colon != std::string::npos)
            return line.substr(colon + 2);
    return {};
}

double processorSeconds()
{
    timespec time {};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return double(time.tv_sec) + double(time.tv_nsec) / 1e9;
}

} // namespace pha
