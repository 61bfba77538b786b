// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/system/torch_version.h"
#include "engine/train/muon.h"

#include <cmath>
#include <map>

namespace pha {

/// Sum of squares of gradients in double, undefined ones left out. Not finite if any of them is not.
double sumOfSquares(const std::vector<Tensor>& gradients);

/// AdamW with decoupled decay on matrices only, a capped rate for state-space parameters and a multiple for mixing ones
/// (models.md 3.3, 5.3, 14.1). Moments are kept, and saved, under parameter names. Leaves out what Muon takes, where
/// the configuration chooses that.
class AdamW {
public:
    AdamW(const LanguageModel& model, const TrainingConfig& config);

    void zeroGrad();
    /// Norm of all gradients in double. Not finite if any gradient is not. Also lays out what step() hands to a card,
    /// while the card still works on the gradients.
    double gradNorm();
    /// One update at `rate`; gradients are multiplied by `scale` first. Counts the update.
    void step(double rate, double scale);

    void reset(); ///< forgets all moments: another objective begins
    std::int64_t updates() const { return updates_; }
    void setUpdates(std::int64_t updates) { updates_ = updates; }
    NamedTensors state() const; ///< "m.<parameter>", "v.<parameter>"

private:
    struct Slot {
        std::string name;
        Tensor weight, m, v;
        ParameterKind kind;
    };
    bool updatedOnCard(const Slot& slot) const;
    void layOut();

    TrainingConfig config_;
    std::vector<Slot> slots_;
    std::map<ParameterKind, FusedAdamW> onCard_; ///< this update's lists, by what rate and decay depend on
    std::int64_t updates_ = 0;
};

/// What trains a network: AdamW for everything, or Muon for the matrices of the layers and AdamW for the rest.
class Optimizer {
public:
    Optimizer(const LanguageModel& model, const TrainingConfig& config)
        : config_(config)
        , adamw_(model, config)
        , muon_(model, config)
    {
    }

    void zeroGrad()
    {
        adamw_.zeroGrad();
        muon_.zeroGrad();
    }
    /// Norm of all gradients in double. Not finite if any gradient is not.
    double gradNorm() { return std::hypot(adamw_.gradNorm(), muon_.gradNorm()); }
    /// One update of AdamW at `rate`, and of Muon at the same `share` of its own peak rate; gradients are multiplied by
    /// `scale` first.
    void step(double rate, double share, double scale)
    {
        adamw_.step(rate, scale);
        muon_.step(config_.muonLearningRate * share, scale);
    }

    /// Forgets the moments of AdamW: another objective begins. Muon has seen none yet, as features are not its matter.
    void reset() { adamw_.reset(); }
    std::int64_t updates() const { return adamw_.updates(); }
    void setUpdates(std::int64_t updates) { adamw_.setUpdates(updates); }
    NamedTensors state() const
    {
        auto all = adamw_.state();
        for (auto& item : muon_.state()) all.push_back(std::move(item));
        return all;
    }

private:
    TrainingConfig config_;
    AdamW adamw_;
    Muon muon_;
};

/// Learning rate at update `step` (0-based, after the distillation) as a share of the peak; the plateau schedule
/// multiplies on top (models.md 14).
double scheduleShare(const TrainingConfig& config, std::int64_t step);

/// Lowers the rate when the validation loss has not improved, by more than one part in 10^4, for `patience`
/// evaluations in a row (models.md 1.2).
struct Plateau {
    double best = std::numeric_limits<double>::infinity(), factor = 1;
    std::int64_t bad = 0;
    void observe(double nll, const TrainingConfig& config);
};

} // namespace pha
