// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace pha {

/// How the finite values of a tensor are distributed: 256 bins of one width w, from -range to range. `range` is the
/// power of two above the largest magnitude, so that a bin of one checkpoint is a whole number of bins of another and
/// the two can be laid over each other exactly. Bin 128 + j counts j w <= x < (j + 1) w, bin 127 - j the same of -x;
/// zeros of both signs are in bin 128.
struct WeightHistogram {
    static constexpr int bins = 256;
    double range = 0; ///< 0: there are no finite values but zeros, and they have no scale
    std::vector<std::int64_t> counts = std::vector<std::int64_t>(bins, 0);

    /// The same values in the bins of a range that is not smaller; of zeros alone in any.
    WeightHistogram over(double wider) const;
    /// `columns`, an even number that divides 256, of equal width from -range to range.
    std::vector<std::int64_t> columns(int count) const;
};

/// Counts by sign, exponent and the first six bits behind it, before anything is known of the range: every edge of the
/// histogram is an edge of these cells, so nothing is counted twice or guessed.
class FineCounts {
public:
    void add(double x) ///< finite in fp32
    {
        constexpr auto kept = ~((std::uint64_t(1) << 46) - 1); // of the 52 bits; rounding could pass an edge
        const auto cut = float(std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) & kept));
        ++counts_[std::bit_cast<std::uint32_t>(cut) >> 17];
    }
    WeightHistogram histogram(double largest) const; ///< largest: magnitude of what was counted

private:
    static constexpr std::uint32_t cells = 1u << 15;
    std::vector<std::int64_t> counts_ = std::vector<std::int64_t>(cells, 0);
};

} // namespace pha
