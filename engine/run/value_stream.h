// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/safetensors.h"

#include <cstdint>
#include <vector>

namespace pha {

bool isFloating(const std::string& dtype); ///< one of those whose values a stream gives

/// The values of one tensor, a block at a time, so that memory does not grow with it. Reader and entry outlive it.
class ValueStream {
public:
    static constexpr std::int64_t block = 1 << 14; ///< values: they stay in the processor's cache

    ValueStream(const SafetensorsReader& reader, const TensorEntry& entry);
    /// At most `block` of them; valid until the next call. Throws CheckpointError.
    const double* read(std::int64_t from, std::int64_t count);

private:
    const SafetensorsReader& reader_;
    const TensorEntry& entry_;
    std::vector<char> bytes_;
    std::vector<double> values_;
};

} // namespace pha
