// SPDX-License-Identifier: GPL-3.0-or-later
// Why an update was not like the others: what can be read off when it is done, before the next one begins.
#pragma once

#include "engine/data/corpus.h"
#include "engine/model/language_model.h"
#include "engine/train/optimizer.h"

namespace pha {

/// The texts of an update's micro-batches that cost most. `losses` as in Pass::tokenLosses; none where they are not
/// those of the batches.
std::vector<CostlyText> costliestTexts(const std::vector<Batch>& batches, const std::vector<Tensor>& losses,
    const Tokenizer& tokenizer, const BatchSource& source);

/// Norms of the gradients of the last update, which came out as `result`, by layer and part.
std::vector<PartGradient> gradientsByPart(
    const LanguageModel& model, const Optimizer& optimizer, const UpdateResult& result);

/// Where the first number that is not finite comes from when a text is read with the weights as they are, without
/// dropout; in words.
std::string firstNotFinite(LanguageModel& model, const Pass& pass, const std::vector<std::int64_t>& ids);

} // namespace pha
