// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/torch/torch.h"

#include <functional>
#include <vector>

namespace pha {

using torch::Tensor;

/// What attention has written inside a recomputed layer: the one result that is dear to form again and cheap to keep.
class KeptAttention {
public:
    /// causalAttention(q, k, v), or what it gave when it was called at this place the first time.
    Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v);
    void rewind() { next_ = 0; } ///< before the layer runs again

private:
    std::vector<std::vector<Tensor>> kept_; ///< results of the library's kernel, one entry a call
    std::vector<std::vector<std::int64_t>> numbers_;
    std::size_t next_ = 0;
};

/// y = f(x) of which only x is kept: the backward pass calls f again, with the random numbers of the first call. f must
/// give the same result each time; gradients of what else it uses are added to those tensors' grad.
Tensor recomputed(
    const std::function<Tensor(const Tensor&)>& f, const Tensor& x, const c10::optional<at::Generator>& generator);

} // namespace pha
