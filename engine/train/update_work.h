// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/train/team.h"

namespace pha {

/// What one device does of an update of a run, from its rows of the batch to changed weights. Called once and replayed
/// from then on, unless it distils.
class UpdateWork {
public:
    /// The settings are read when they are needed: a user may change them between updates.
    explicit UpdateWork(const RunConfig& config)
        : config_(config)
    {
    }
    struct Shape {
        std::size_t microBatches = 1; ///< of batch_size sequences, of which a device that shares the update has some
        bool distilling = false;
    };
    /// `inputs` as plainUpdate() takes them, behind fade() of the step if regularised() and not distilling.
    Tensor operator()(
        Learner& learner, const std::vector<Tensor>& inputs, torch::Dtype matrix, const Shape& shape) const;
    bool regularised() const { return config_.training.regularised(); }
    double fade(std::int64_t step) const; ///< models.md 5.4: the entropy bonus goes to 0 in the first half of training

private:
    Tensor distilled(Learner& learner, const std::vector<Tensor>& inputs, const Pass& pass, double share) const;
    Tensor regulariser(const Learner& learner, const std::vector<Tensor>& meanWeights, const Tensor& fade) const;

    const RunConfig& config_;
};

} // namespace pha
