// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/language_model.h"

#include <memory>

namespace pha {

/// Reads one token after the other into a state that holds a prompt. On a card the launches of a step are captured once
/// and replayed: a small step costs its kernels, not some hundred launches. Elsewhere, and for parts that keep their
/// position on the host, it is forward() and logits().
class TokenReader {
public:
    TokenReader(LanguageModel& model, const Pass& pass, ModelState& state);
    ~TokenReader();
    TokenReader(const TokenReader&) = delete;
    TokenReader& operator=(const TokenReader&) = delete;

    /// ids (B,1) -> logits (B,1,V) fp32, valid until the next call.
    Tensor operator()(const Tensor& ids);

private:
    struct Graph;
    bool capturable(const Tensor& ids) const;
    Tensor step(const Tensor& ids);

    LanguageModel& model_;
    Pass pass_;
    ModelState& state_;
    std::unique_ptr<Graph> graph_;
};

} // namespace pha
