// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/random.h"

#include <cstdint>

namespace pha {

/// A shuffle of 0 .. count-1 that takes no memory: a Feistel network of four rounds on the smallest even number of bits
/// that holds `count`, applied again until the result is below `count` (at most four times on average).
class WindowOrder {
public:
    WindowOrder() = default;
    WindowOrder(std::uint64_t count, std::uint64_t seed)
        : count_(count)
        , seed_(seed)
    {
        while (half_ < 31 && (std::uint64_t(1) << (2 * half_)) < count) ++half_;
    }
    std::uint64_t size() const { return count_; }
    std::uint64_t operator[](std::uint64_t index) const
    {
        do index = permute(index);
        while (index >= count_);
        return index;
    }

private:
    std::uint64_t permute(std::uint64_t value) const
    {
        const auto mask = (std::uint64_t(1) << half_) - 1;
        auto left = value >> half_, right = value & mask;
        for (std::uint64_t round = 0; round < 4; ++round) {
            const auto next = left ^ (mixBits(seed_ + mixBits(right * 4 + round)) & mask);
            left = right;
            right = next;
        }
        return left << half_ | right;
    }

    std::uint64_t count_ = 0, seed_ = 0;
    int half_ = 1;
};

} // namespace pha
