// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/weights.h"

namespace pha {

/// AdamW with decoupled decay on matrices only, a capped rate for state-space parameters and a multiple for mixing ones
/// (models.md 3.3, 5.3, 14.1). Moments are kept, and saved, under parameter names.
class AdamW {
public:
    AdamW(const LanguageModel& model, const TrainingConfig& config);

    void zeroGrad();
    /// Norm of all gradients in double. Not finite if any gradient is not.
    double gradNorm() const;
    /// One update at `rate`; gradients are multiplied by `scale` first. Counts the update.
    void step(double rate, double scale);

    std::int64_t updates() const { return updates_; }
    void setUpdates(std::int64_t updates) { updates_ = updates; }
    NamedTensors state() const; ///< "m.<parameter>", "v.<parameter>"

private:
    struct Slot {
        std::string name;
        Tensor weight, m, v;
        ParameterKind kind;
    };
    TrainingConfig config_;
    std::vector<Slot> slots_;
    std::int64_t updates_ = 0;
};

/// Learning rate at update `step` (0-based) as a share of the peak; the plateau schedule multiplies on top (models.md
/// 14).
double scheduleShare(const TrainingConfig& config, std::int64_t step);

/// Lowers the rate when the validation loss has not improved for `patience` evaluations.
struct Plateau {
    double best = std::numeric_limits<double>::infinity(), factor = 1;
    std::int64_t bad = 0;
    void observe(double nll, const TrainingConfig& config);
};

} // namespace pha
