// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"
#include "engine/engine.h"
#include "engine/model/language_model.h"
#include "engine/model/watch.h"

#include <stop_token>
#include <vector>

namespace pha {

/// The logit lens: what the head says of the residual stream after the embedding and after every layer, each read
/// through the last norm. `watch` has seen the pass over `ids` (T). Throws Error when stopped.
std::vector<LensLayer> readLens(const LanguageModel& model, const Tokenizer& tokenizer, const Watch& watch,
    const Tensor& ids, const Pass& pass, const std::stop_token& stop);

} // namespace pha
