// SPDX-License-Identifier: GPL-3.0-or-later
// Stands for NVIDIA's management library: one card at a known address that spends 100 J with every question.
#include <cstring>

extern "C" {
int nvmlInit_v2() { return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char* address, void** card)
{
    if (std::strcmp(address, "0000:1b:00.0") != 0) return 6; // not found
    static int one;
    *card = &one;
    return 0;
}
int nvmlDeviceGetUtilizationRates(void*, unsigned* rates) { return rates[0] = 97, rates[1] = 40, 0; }
int nvmlDeviceGetPowerUsage(void*, unsigned* milliwatts) { return *milliwatts = 412'500, 0; }
int nvmlDeviceGetTotalEnergyConsumption(void*, unsigned long long* millijoules)
{
    static unsigned long long spent = 5'000'000;
    return *millijoules = spent += 100'000, 0;
}
int nvmlDeviceGetTemperature(void*, int sensor, unsigned* celsius) { return *celsius = 61, sensor == 0 ? 0 : 2; }
}
