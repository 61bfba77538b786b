// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/language_model.h"

#include <functional>
#include <memory>

namespace pha {

/// Who works off the table of a step: a card, or what a test puts in its place.
struct StepDevice {
    int multiprocessors = 0; ///< 0: there is none
    std::function<void(const kernels::StepLaunch&)> run;
};

/// Reads one token of each text as one piece: on a card by the kernel of cuda/step.h. Weights that change between two
/// tokens are seen, and so are the user's own weights of branches.
class StepRunner {
public:
    /// Null unless the model and the pass have this form, and `state` holds a prompt read with bf16 matrices.
    static std::unique_ptr<StepRunner> make(
        const LanguageModel& model, const Pass& pass, ModelState& state, std::int64_t batch, StepDevice device);
    static std::unique_ptr<StepRunner> onProcessors(
        const LanguageModel& model, const Pass& pass, ModelState& state, std::int64_t batch);
    virtual ~StepRunner() = default;
    /// ids (B,1) -> logits (B,1,V) fp32, valid until the next call.
    virtual Tensor read(const Tensor& ids) = 0;
    virtual Tensor ids() const = 0; ///< (B,1): read() takes what is written there without a copy
    virtual Tensor best() const = 0; ///< (B,1): the most probable tokens after the last call; read() may be given it
};

} // namespace pha
