// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <torch/torch.h>

#include <mutex>
#include <unordered_map>
#include <vector>

namespace pha {

using torch::Tensor;

/// bf16 copies of a model's fp32 matrices, made once after each change of a weight instead of at each use. Matrices that
/// read the same input are kept stacked, so that one product serves them all. Owned by the model.
class MatrixCache {
public:
    /// The matrices (out_i,in) as one (sum of out_i, in) in bf16, padded with zero rows to a multiple of `rows`.
    Tensor stacked(const std::vector<Tensor>& weights, std::int64_t rows = 1);

private:
    struct Entry {
        std::vector<Tensor> weights; ///< kept, so that an address is never another tensor's
        std::vector<std::int64_t> state; ///< of the weights when `copy` was made
        Tensor copy;
    };
    std::mutex mutex_;
    std::unordered_map<const void*, std::vector<Entry>> entries_; ///< by the first weight
};

} // namespace pha
