// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/weight_histogram.h"

#include <algorithm>
#include <cmath>

namespace pha {

WeightHistogram FineCounts::histogram(double largest) const
{
    constexpr int half = WeightHistogram::bins / 2;
    WeightHistogram made;
    if (!(largest > 0)) {
        made.counts[half] = counts_[0] + counts_[cells / 2];
        return made;
    }
    int exponent = 0;
    std::frexp(largest, &exponent);
    made.range = std::ldexp(1.0, std::max(exponent, -125)); // below, cells are wider than bins would be
    const double width = made.range / half;
    for (std::uint32_t cell = 0; cell < cells; ++cell) {
        if (counts_[cell] == 0) continue;
        const auto edge = double(std::bit_cast<float>((cell & (cells / 2 - 1)) << 17));
        const auto bin = int(edge / width);
        const bool negative = cell >= cells / 2;
        const auto place = negative ? half - 1 - bin : half + bin;
        made.counts[std::size_t(place)] += counts_[cell];
    }
    return made;
}

WeightHistogram WeightHistogram::over(double wider) const
{
    WeightHistogram made;
    made.range = wider;
    const double ratio = range > 0 ? wider / range : 1;
    for (int bin = 0; bin < bins; ++bin) {
        const bool negative = bin < bins / 2;
        const auto from = int(double(negative ? bins / 2 - 1 - bin : bin - bins / 2) / ratio);
        made.counts[std::size_t(negative ? bins / 2 - 1 - from : bins / 2 + from)] += counts[std::size_t(bin)];
    }
    return made;
}

std::vector<std::int64_t> WeightHistogram::columns(int count) const
{
    std::vector<std::int64_t> made(std::size_t(count), 0);
    for (int bin = 0; bin < bins; ++bin) made[std::size_t(bin * count / bins)] += counts[std::size_t(bin)];
    return made;
}

} // namespace pha
