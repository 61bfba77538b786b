// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/train/optimizer.h"

#include <functional>
#include <memory>

namespace pha {

/// Updates of a model that differ in nothing but the content of their inputs. A card is handed some thousand launches
/// for each, which takes longer than the work of a small model: they are captured at the second update and replayed
/// from then on. Elsewhere, and where something cannot be captured, every update is done as it comes.
class CapturedUpdate {
public:
    /// Inputs and result are where the model is. It may be called once and replayed from then on, so it reads nothing
    /// else but the model and what the optimizer keeps.
    using Work = std::function<Tensor(const std::vector<Tensor>& inputs)>;

    explicit CapturedUpdate(LanguageModel& model);
    ~CapturedUpdate();
    /// `inputs` may be anywhere; other sizes than before begin anew. -> what `work` returns, valid until the next call.
    Tensor operator()(const std::vector<Tensor>& inputs, const Work& work);
    /// The same without capturing, for work that is something else each time.
    Tensor once(const std::vector<Tensor>& inputs, const Work& work);
    /// Of a team: all capture, or none does. `agree` waits for the others and tells whether all said yes.
    void meetBy(std::function<bool(bool)> agree) { agree_ = std::move(agree); }
    void forbid() { refused_ = true; } ///< captures nothing from now on
    void forget(); ///< the work has changed: the next call begins anew
    bool replays() const; ///< the last call was one
    std::int64_t peakBytes() const; ///< most memory of a replayed update, which the allocator does not see; 0: none

private:
    struct Graph;
    Tensor capture(const Work& work);

    LanguageModel& model_;
    const torch::Device device_;
    std::unique_ptr<Graph> graph_;
    std::function<bool(bool)> agree_; ///< empty: alone
    bool refused_ = false;
};

/// Makes tensors the sums over all devices that share an update.
using Sum = std::function<void(const std::vector<Tensor>&)>;

/// The update of plain training. `inputs`: ids and targets (B,T) of each micro-batch, then Optimizer::numbers().
/// `regulariser`, unless empty, is added to each micro-batch's mean loss; `sum`, unless empty, is given gradients and
/// loss. Pass::tokenLosses, if given, holds those of the last update from then on, also of a replayed one.
Tensor plainUpdate(LanguageModel& model, Optimizer& optimizer, const Pass& pass, const std::vector<Tensor>& inputs,
    const std::function<Tensor()>& regulariser = {}, const Sum& sum = {});

} // namespace pha
