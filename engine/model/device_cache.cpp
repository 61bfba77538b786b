// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/device_cache.h"

#include <algorithm>

namespace pha {

namespace {

/// What tells that a weight has changed: its memory and how often it was written.
std::vector<std::int64_t> stateOf(const std::vector<Tensor>& weights)
{
    std::vector<std::int64_t> all;
    for (const auto& w : weights) {
        all.push_back(std::int64_t(reinterpret_cast<std::intptr_t>(w.data_ptr())));
        all.push_back(std::int64_t(w._version()));
    }
    return all;
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b)
{
    return std::equal(
        a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) { return x.is_same(y); });
}

/// A new tensor each time, not the old one overwritten: a backward pass may still hold that.
Tensor stack(const std::vector<Tensor>& weights, std::int64_t rows, std::int64_t padded)
{
    auto copy =
        torch::empty({ padded, weights[0].size(1) }, weights[0].options().dtype(torch::kBFloat16).requires_grad(false));
    std::int64_t at = 0;
    for (const auto& w : weights) {
        copy.narrow(0, at, w.size(0)).copy_(w);
        at += w.size(0);
    }
    copy.narrow(0, rows, padded - rows).zero_();
    return copy;
}

} // namespace

Tensor DeviceCache::stacked(const std::vector<Tensor>& weights, std::int64_t multiple)
{
    std::int64_t rows = 0;
    for (const auto& w : weights) rows += w.size(0);
    const auto padded = (rows + multiple - 1) / multiple * multiple;
    if (weights.size() == 1 && weights[0].scalar_type() == torch::kBFloat16 && padded == rows)
        return weights[0].detach();

    const torch::NoGradGuard guard;
    const std::lock_guard lock(mutex_);
    auto& candidates = entries_[weights[0].unsafeGetTensorImpl()];
    auto found =
        std::find_if(candidates.begin(), candidates.end(), [&](const Entry& e) { return same(e.weights, weights); });
    if (found == candidates.end()) found = candidates.insert(candidates.end(), Entry { weights, {}, {} });
    const auto now = stateOf(weights);
    if (now != found->state || found->copy.size(0) != padded) {
        found->copy = stack(weights, rows, padded);
        found->state = now;
    }
    return found->copy;
}

void DeviceCache::forgetCopies()
{
    const std::lock_guard lock(mutex_);
    entries_.clear();
}

Rope DeviceCache::rope(
    std::int64_t first, std::int64_t count, std::int64_t headWidth, double base, const torch::Device& device)
{
    const torch::NoGradGuard guard;
    const std::lock_guard lock(mutex_);
    const auto of = std::pair(headWidth, base);
    if (!rope_.cosine.defined() || ropeOf_ != of || rope_.cosine.size(0) < first + count) {
        constexpr std::int64_t step = 1024; // generation asks for one more position at a time
        rope_ = ropeTables(0, (first + count + step - 1) / step * step, headWidth, base, device, torch::kFloat);
        ropeOf_ = of;
    }
    return { rope_.cosine.narrow(0, first, count), rope_.sine.narrow(0, first, count) };
}

} // namespace pha
