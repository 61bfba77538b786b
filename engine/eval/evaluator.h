// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"
#include "engine/engine.h"
#include "engine/model/language_model.h"

namespace pha {

/// Scores a split as models.md 12 says: sums in double, every token but the first once, incomplete last window kept.
/// `pass` gives the precision; `options.context` must be set. Documents need a `tokenizer`. Throws ConfigError for a
/// protocol, stride or context that cannot be, Error when stopped.
Evaluation evaluateSplit(LanguageModel& model, const Pass& pass, const Split& split, const EvaluateOptions& options,
    EventSink& progress, const std::stop_token& stop, const Tokenizer* tokenizer = nullptr);

/// Weights, output sizes and shares of every branch on the first tokens of a split (models.md 5.5).
std::vector<LayerMix> measureMixing(LanguageModel& model, const Pass& pass, const Split& probe, std::int64_t context);

} // namespace pha
