// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/safetensors.h"

#include <optional>
#include <stop_token>

namespace pha {

/// How many directions a matrix works in, by its singular values s: (sum of s^2)^2 / sum of s^4. That is 1 for an outer
/// product, n for n equal ones, and n m / (n + m) is expected of n x m independent random numbers. Exact, without the
/// singular values: ||A||^4 / ||A A^T||^2 in Frobenius norms. Some n^2 m operations, n being the smaller side: the
/// matrix is held in memory, so larger ones than 1024 x 16384 have none; neither has what is no matrix, not finite or
/// all zero. Throws Error when stopped.
std::optional<double> effectiveRank(
    const SafetensorsReader& reader, const TensorEntry& entry, const std::stop_token& stop);

} // namespace pha
