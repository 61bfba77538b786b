// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace pha {

/// What a device says of itself. Nothing where it does not tell.
struct HardwareReading {
    std::optional<double> use; ///< share of the last moments in which it was at work, 0 to 1
    std::optional<double> watts; ///< as a card measures it, or the mean since the reading before
    std::optional<double> celsius;
};

/// Asks a card, or the energy counters of a processor, while a job runs. Never throws once it is made.
class HardwareMeter {
public:
    virtual ~HardwareMeter() = default;
    /// Asked at most five times a second, so that short updates do not pay for it: in between the last answer stands.
    const HardwareReading& read();
    /// Energy since some moment before this meter was made; nothing where it is not counted.
    virtual std::optional<double> joules() = 0;

protected:
    virtual HardwareReading ask() = 0; ///< without watts they are found from joules()

private:
    HardwareReading last_;
    std::optional<double> joulesThen_;
    std::chrono::steady_clock::time_point then_ {};
};

/// The processor's name as the kernel gives it ("AMD EPYC 7B13"); empty where it does not.
std::string processorName();
/// NVIDIA's management library, where it is installed, for the card at a PCI address ("0000:1b:00.0"); otherwise null.
std::unique_ptr<HardwareMeter> cardMeter(const std::string& pciAddress, const char* library = "libnvidia-ml.so.1");
/// The kernel's energy counters (RAPL) of all processor packages; null where there are none or they may not be read.
std::unique_ptr<HardwareMeter> processorMeter(const std::filesystem::path& folder = "/sys/class/powercap");

/// Processor time that this process has used so far, on all its threads, in seconds.
double processorSeconds();

} // namespace pha
