// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/token_distribution.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>

namespace pha {

constexpr auto blockSize = std::size_t(cpu::softmaxBlock);

float scaleOf(double temperature) { return float(std::min(1 / temperature, 1e30)); }

void TokenDistribution::read(std::span<const float> logits, double temperature)
{
    const auto count = std::int64_t(logits.size());
    weights_.resize(logits.size());
    blocks_.resize(std::size_t((count + cpu::softmaxBlock - 1) / cpu::softmaxBlock));
    total_ = product_ = 0;
    const float highest =
        cpu::kernels().softmaxRow({ count, scaleOf(temperature), logits.data(), weights_.data(), blocks_.data() });
    if (!std::isfinite(highest)) return;
    for (const auto& block : blocks_) total_ += double(block.sum), product_ += double(block.product);
}

double TokenDistribution::entropy() const
{
    // -sum p ln p with ln p = (z - highest) - ln total.
    return empty() ? 0 : std::max(0.0, std::log(total_) - product_ / total_);
}

bool TokenDistribution::before(std::int32_t a, std::int32_t b) const
{
    const float x = weights_[std::size_t(a)], y = weights_[std::size_t(b)];
    return x > y || (x == y && a < b);
}

std::vector<std::int32_t> TokenDistribution::atLeast(float weight) const
{
    std::vector<std::int32_t> ids;
    for (std::size_t b = 0; b < blocks_.size(); ++b) {
        if (blocks_[b].largest < weight) continue;
        const auto first = b * blockSize;
        const auto last = std::min(first + blockSize, weights_.size());
        for (auto i = first; i < last; ++i)
            if (weights_[i] >= weight) ids.push_back(std::int32_t(i));
    }
    return ids;
}

float TokenDistribution::boundOf(std::size_t count) const
{
    if (count == 0 || count > blocks_.size()) return 0;
    std::vector<float> tops(blocks_.size());
    std::transform(blocks_.begin(), blocks_.end(), tops.begin(), [](const auto& block) { return block.largest; });
    const auto last = tops.begin() + std::ptrdiff_t(count - 1);
    std::nth_element(tops.begin(), last, tops.end(), std::greater<>());
    return *last;
}

std::vector<std::int32_t> TokenDistribution::largest(std::size_t count) const
{
    if (empty()) return {};
    auto ids = atLeast(boundOf(count));
    count = std::min(count, ids.size());
    std::partial_sort(
        ids.begin(), ids.begin() + std::ptrdiff_t(count), ids.end(), [this](auto a, auto b) { return before(a, b); });
    ids.resize(count);
    return ids;
}

std::vector<std::int32_t> TokenDistribution::head(std::size_t most, double share) const
{
    if (empty()) return {};
    // Those below the mean of what may be left out are left out. Sorting a whole vocabulary takes longer than a step of
    // a small model: weights are counted by the first bits of their logarithm, and one of those bins is sorted.
    const double rest = 0.999 * total_ * std::max(0.0, 1 - share) / double(weights_.size()); // 0.999: rounding
    auto ids = atLeast(std::max(float(rest), boundOf(most)));
    struct Bin {
        double sum = 0;
        std::size_t count = 0;
    };
    constexpr int shift = 19;
    std::array<Bin, (std::bit_cast<std::uint32_t>(1.0F) >> shift) + 2> bins {}; // no weight is above 1 but for rounding
    const auto binOf = [this](std::int32_t id) {
        return std::size_t(std::bit_cast<std::uint32_t>(weights_[std::size_t(id)]) >> shift);
    };
    for (const auto id : ids) {
        auto& bin = bins[binOf(id)];
        bin.sum += double(weights_[std::size_t(id)]), ++bin.count;
    }
    double wanted = share < 1 ? share * total_ : std::numeric_limits<double>::infinity();
    auto left = most > 0 ? most : ids.size();
    auto at = bins.size() - 1;
    for (; at > 0 && bins[at].sum < wanted && bins[at].count < left; --at)
        wanted -= bins[at].sum, left -= bins[at].count;
    std::vector<std::int32_t> parted; // of the bin in which it ends
    std::copy_if(ids.begin(), ids.end(), std::back_inserter(parted), [&](auto id) { return binOf(id) == at; });
    std::sort(parted.begin(), parted.end(), [this](auto a, auto b) { return before(a, b); });
    std::size_t n = 0;
    for (; n < parted.size() && left > 0 && wanted > 0; ++n, --left) wanted -= double(weights_[std::size_t(parted[n])]);
    std::erase_if(ids, [&](auto id) {
        const auto bin = binOf(id);
        return bin < at || (bin == at && (n == 0 || before(parted[n - 1], id)));
    });
    return ids;
}

template <class IdOf> std::int32_t TokenDistribution::passes(double x, std::size_t count, const IdOf& idOf) const
{
    std::int32_t found = -1;
    for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t id = idOf(i);
        const double weight = double(weights_[std::size_t(id)]);
        if (weight > 0) found = id;
        x -= weight;
        if (x < 0) break;
    }
    return found >= 0 ? found : largest(1).front(); // rounding left nothing
}

std::int32_t TokenDistribution::at(double x) const
{
    x *= total_;
    std::size_t b = 0;
    for (; b + 1 < blocks_.size() && x >= double(blocks_[b].sum); ++b) x -= double(blocks_[b].sum);
    const auto first = b * blockSize;
    return passes(x, std::min(blockSize, weights_.size() - first), [&](auto i) { return std::int32_t(first + i); });
}

std::int32_t TokenDistribution::at(double x, const std::vector<std::int32_t>& kept) const
{
    return passes(x * total_, kept.size(), [&](auto i) { return kept[i]; });
}

double TokenDistribution::share(const std::vector<std::int32_t>& ids) const
{
    double sum = 0;
    for (const auto id : ids) sum += double(weights_[std::size_t(id)]);
    return sum / total_;
}

} // namespace pha
