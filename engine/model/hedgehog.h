// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/branches.h"

namespace pha {

/// Hedgehog (models.md 9, 19.16): attention whose softmax is replaced by learned positive features of queries and keys,
/// untied for every head. O(1) state. With `Pass::distil` it is the softmax attention that it was converted from, and
/// reports how far its own weights are from that.
class HedgehogBranch final : public Branch {
public:
    explicit HedgehogBranch(const ModelConfig& config);
    bool stepsOnCard() const override { return true; }
    Tensor forward(const Tensor& u, const Pass& pass, std::int64_t position, BlockState* state) override;
    bool draw(const std::string& name, Tensor& parameter, Initialiser& random) const override;

private:
    /// phi of x (Hq,B*T,dh), W (Hq,dh,dh): (Hq*B,T,2dh).
    Tensor features(const Tensor& x, const Tensor& w, std::int64_t batch, torch::Dtype matrix) const;
    Tensor teach(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t batch, const Pass& pass) const;

    ModelConfig config_;
    Tensor query_, key_, value_, output_;
    Tensor queryBias_, keyBias_, valueBias_, outputBias_; ///< undefined without biases
    Tensor featureQuery_, featureKey_; ///< W_phi (Hq,dh,dh), each (out,in)
};

} // namespace pha
