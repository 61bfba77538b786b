// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/torch/torch_version.h"
#include "engine/train/muon.h"

#include <cmath>

namespace pha {

/// Sum of squares of gradients in double, undefined ones left out. Not finite if any of them is not.
double sumOfSquares(const std::vector<Tensor>& gradients);

/// AdamW with decoupled decay on matrices only, a capped rate for state-space parameters and a multiple for mixing ones
/// (models.md 3.3, 5.3, 14.1). Moments are kept, and saved, under parameter names. Leaves out what Muon takes, where
/// the configuration chooses that.
class AdamW {
public:
    AdamW(const LanguageModel& model, const TrainingConfig& config);

    void adopt(const TrainingConfig& config) { config_ = config; } ///< other numbers, the same optimiser
    void zeroGrad();
    double gradNorm() const; ///< of all gradients, in double. Not finite if any gradient is not
    std::vector<Tensor> gradients() const;
    double rateOf(ParameterKind kind, double rate) const;
    /// One update at `rate`; gradients are multiplied by `scale` first. Counts the update.
    void step(double rate, double scale);
    /// The same with numbers that a card reads where they are: the update's, the rates by kind; gradients are divided
    /// by `divisor`, nothing changes if `skip` is 1. Counts nothing.
    void stepOnCard(const Tensor& update, const Tensor& rates, const Tensor& divisor, const Tensor& skip);

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
    double decayOf(ParameterKind kind) const { return kind == ParameterKind::Matrix ? config_.weightDecay : 0; }

    TrainingConfig config_;
    std::vector<Slot> slots_;
    std::int64_t updates_ = 0;
};

/// What an update takes beside gradients, in the order of a row of fp64 numbers.
struct UpdateNumbers {
    double scored = 1; ///< tokens that the loss is the mean over
    double allowed = 1; ///< 0: it is left out
    double rate = 0, share = 0; ///< learning rate; share of the peak rates, which Muon's own is multiplied by
};
/// Mean loss and norm of the gradients. Unless both are finite, nothing was changed.
struct UpdateResult {
    double loss = 0, norm = 0;
    bool finite() const { return std::isfinite(loss) && std::isfinite(norm); }
};

/// What trains a network: AdamW for everything, or Muon for the matrices of the layers and AdamW for the rest.
class Optimizer {
public:
    Optimizer(const LanguageModel& model, const TrainingConfig& config)
        : config_(config)
        , adamw_(model, config)
        , muon_(model, config)
        , onCard_(hasFusedAdamW && model.embedding().is_cuda() && model.embedding().scalar_type() == torch::kFloat)
    {
    }

    void adopt(const TrainingConfig& config) ///< other numbers, the same optimiser
    {
        config_ = config;
        adamw_.adopt(config);
        muon_.adopt(config);
    }
    void zeroGrad()
    {
        adamw_.zeroGrad();
        muon_.zeroGrad();
    }
    std::vector<Tensor> gradients() const; ///< those there are
    /// Norm of all gradients in double. Not finite if any gradient is not.
    double gradNorm() const { return std::hypot(adamw_.gradNorm(), muon_.gradNorm()); }
    /// One update of AdamW at `rate`, and of Muon at the same `share` of its own peak rate; gradients are multiplied by
    /// `scale` first.
    void step(double rate, double share, double scale)
    {
        adamw_.step(rate, scale);
        muon_.step(config_.muonLearningRate * share, scale);
    }

    /// The next update's numbers as apply() wants them, once they are where the weights are. The first one is `scored`.
    Tensor numbers(const UpdateNumbers& update) const;
    /// Clips the gradients and makes one update of them. `loss` is a scalar, the mean over what is scored. A card's
    /// host waits for nothing: read() does. -> (2) fp64.
    Tensor apply(const Tensor& loss, const Tensor& numbers);
    UpdateResult read(const Tensor& applied); ///< counts the update
    /// How many times larger the gradient was than it lies beside its weight after an update that came out as
    /// `result`: the kernel for a card clips where they are.
    double clippedBy(const std::string& name, const Tensor& weight, const UpdateResult& result) const;

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
    Tensor applyOnCard(const Tensor& loss, const Tensor& numbers);

    TrainingConfig config_;
    AdamW adamw_;
    Muon muon_;
    bool onCard_ = false; ///< all weights are fp32 and a card's, and this LibTorch has the kernel for them
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
