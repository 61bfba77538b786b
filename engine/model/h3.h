// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/branches.h"

namespace pha {

/// H3 (models.md 8, 19.3, 19.20): a shift state space on the keys, a diagonal one on the products of keys and values,
/// read out by the queries. With heads of width 1: o = q (S (k~ v)), all elementwise. O(1) state.
class H3Branch final : public Branch {
public:
    explicit H3Branch(const ModelConfig& config);
    bool stepsOnCard() const override { return true; }
    Tensor forward(const Tensor& u, const Pass& pass, std::int64_t position, BlockState* state) override;
    bool draw(const std::string& name, Tensor& parameter, Initialiser& random) const override;

    /// K[c,l] = sum_i C[c,l+i] B[c,i], the skip added to K[c,0]: (D,N). What "y_t = C x_t, x_t = shift(x_{t-1}) + B
    /// k_t" does to a single 1.
    Tensor shiftKernel() const;
    DiagonalSsm ssm() const; ///< one channel a head, discretised by the bilinear rule (models.md 3.3)

private:
    std::int64_t headWidth_; ///< d1
    bool scaledOutput_; ///< the common rule draws the output projection
    Tensor query_, key_, value_, output_;
    Tensor queryBias_, keyBias_, valueBias_, outputBias_; ///< undefined without biases
    Tensor shiftB_, shiftC_, shiftSkip_; ///< (D,N), (D,N), (D)
    Tensor logDt_, logARe_, aIm_, bRe_, bIm_, cRe_, cIm_, skip_; ///< (H), (H,N/2) six times, (H); H = D / d1
};

} // namespace pha
