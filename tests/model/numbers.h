// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/system/torch.h"

namespace pha::test {

inline double largest(const torch::Tensor& x) { return x.abs().max().item<double>(); }

/// |a - exact| / |exact|
inline double distance(const torch::Tensor& a, const torch::Tensor& exact)
{
    return ((a - exact).norm() / exact.norm().clamp_min(1e-30)).item<double>();
}

} // namespace pha::test
