// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/step_runner.h"

#include <memory>

namespace pha {

/// Reads one token after the other into a state that holds a prompt. A step is one kernel of a card, or one piece of
/// work for all processors, where the model has such a form (step_runner.h). Otherwise a card's launches are captured
/// once and replayed: a small step costs its kernels, not some hundred launches. Elsewhere, and for parts that keep
/// their position on the host, it is forward() and logits().
class TokenReader {
public:
    TokenReader(LanguageModel& model, const Pass& pass, ModelState& state);
    ~TokenReader();
    TokenReader(const TokenReader&) = delete;
    TokenReader& operator=(const TokenReader&) = delete;

    /// ids (B,1) -> logits (B,1,V) fp32, valid until the next call.
    Tensor operator()(const Tensor& ids);
    Tensor ids() const; ///< (B,1), from where ids are read without a copy; undefined if there is no such place
    Tensor best() const; ///< (B,1): the most probable tokens after the last call, to be read next; valid as the logits

private:
    struct Graph;
    bool capturable(const Tensor& ids) const;
    Tensor step(const Tensor& ids);
    Tensor read(const Tensor& ids);
    bool runs(const Tensor& ids);
    /// The first token is read by forward() too: a card that the kernel goes wrong on is left to the other ways.
    Tensor readFirst(const Tensor& ids);

    LanguageModel& model_;
    Pass pass_;
    ModelState& state_;
    std::unique_ptr<StepRunner> runner_;
    bool trusted_ = false, refused_ = false; ///< runner_ was right about a first token; it has no form of this model
    std::unique_ptr<Graph> graph_;
    Tensor last_;
};

} // namespace pha
