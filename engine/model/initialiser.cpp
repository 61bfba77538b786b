// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/initialiser.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

namespace pha {

Initialiser::Initialiser(const ModelConfig& config, std::uint64_t seed)
    : config_(config)
    , generator_(at::detail::createCPUGenerator(seed))
{
}

void Initialiser::common(const std::string& name, Tensor& p)
{
    if (name.find(".mixing.") != std::string::npos) return mixing(name, p);
    if (name.ends_with("_bias")) return fill(p, 0);
    if (name.find("norm") != std::string::npos) return fill(p, 1); // every norm's gain
    matrix(name, p);
}

void Initialiser::mixing(const std::string& name, Tensor& p)
{
    if (name.find("norm_") != std::string::npos) return fill(p, 1);
    if (name.ends_with(".token")) return fill(p, 0);
    const auto K = double(p.size(0));
    // A sigmoid starts at 1/K too; a single branch starts (almost) fully open.
    fill(p, config_.mixMode.find("sigmoid") == std::string::npos ? 0 : K > 1 ? -std::log(K - 1) : std::log(999.0));
}

void Initialiser::matrix(const std::string& name, Tensor& p)
{
    const bool main = name.find(".main.") != std::string::npos;
    const bool writes = name.ends_with(".output") || name.ends_with(".down"); // to the residual stream
    if (main && writes && config_.zeroInit) return fill(p, 0);
    const auto L = double(config_.layers);
    if (config_.residualMode != "deepnorm_post") return normal(p, writes ? 0.02 / std::sqrt(2 * L) : 0.02);
    const bool feedForward = main || name.find(".ffn.") != std::string::npos;
    const bool value = name.ends_with(".attention.value") || name.ends_with(".hedgehog.value");
    const bool scaled = writes || feedForward || value;
    normal(p, 0.02 * (scaled ? std::pow(8 * L, -0.25) : 1)); // models.md 5.2, 19.14
}

} // namespace pha
