// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/ops.h"

#include <mutex>
#include <unordered_map>
#include <vector>

namespace pha {

/// On a card the vocabulary is padded to a multiple of this many rows: tensor cores work on whole tiles (at V = 50257
/// the product is otherwise five times slower).
inline constexpr std::int64_t vocabularyTile = 64;

/// What a model keeps beside its weights to be fast on a card. bf16 copies of its fp32 matrices are made once after
/// each change of a weight instead of at each use; matrices that read the same input are stacked, so that one product
/// serves them all. Rotary tables are kept for all layers and steps.
class DeviceCache {
public:
    /// The matrices (out_i,in) as one (sum of out_i, in) in bf16, padded with zero rows to a multiple of `rows`.
    Tensor stacked(const std::vector<Tensor>& weights, std::int64_t rows = 1);
    /// ropeTables() for positions first ... first+count-1, fp32.
    Rope rope(std::int64_t first, std::int64_t count, std::int64_t headWidth, double base, const torch::Device& device);

    void forgetCopies(); ///< of matrices: each is made anew when it is next asked for
    Rope tables() const
    {
        return rope_;
    } ///< to be held by whoever reads them later: they may be replaced by longer ones

private:
    struct Entry {
        std::vector<Tensor> weights; ///< kept, so that an address is never another tensor's
        std::vector<std::int64_t> state; ///< of the weights when `copy` was made
        Tensor copy;
    };
    std::mutex mutex_;
    std::unordered_map<const void*, std::vector<Entry>> entries_; ///< by the first weight
    Rope rope_; ///< from position 0 on
    std::pair<std::int64_t, double> ropeOf_; ///< head width and base of rope_
};

} // namespace pha
