// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"
#include "engine/engine.h"
#include "engine/model/language_model.h"
#include "engine/model/watch.h"

#include <span>
#include <vector>

namespace pha {

/// Where one head reads in a text: `weights` (T,T), rows summing to 1 over the places that are seen, and the tokens
/// (T). At t are seen the places up to t, from the beginning of its chunk of `span` tokens on (0: of the text). Queries
/// that see one place only have no choice and are left out.
HeadShares headShares(std::span<const float> weights, const std::vector<std::int64_t>& ids, std::int64_t span = 0);
HeadShares merged(const HeadShares& a, const HeadShares& b); ///< over the queries of both
int headName(const HeadShares& kinds); ///< HeadFigures::name

/// Of every head of every map of a pass that read `ids`.
std::vector<HeadFigures> readHeads(const Watch& watch, const std::vector<std::int64_t>& ids);
std::vector<StateMemory> readMemory(const Watch& watch, std::int64_t context);

/// `count` sequences, each of `length` random tokens that come twice. None comes again within the `length` unless the
/// vocabulary is too small. Always the same.
std::vector<std::vector<std::int64_t>> repeatedTokens(
    const Tokenizer& tokenizer, std::int64_t count, std::int64_t length);
/// Reads such sequences, as long as the network's `context` and its attention allow. With `attentionAlone` state spaces
/// are left out. Of a network that cannot read two tokens twice the note alone is filled in. Throws Error when stopped.
HeadTest testHeads(LanguageModel& model, const Tokenizer& tokenizer, std::int64_t context, Pass pass,
    bool attentionAlone, const std::stop_token& stop);
HeadsEvent headsEvent(const HeadTest& test);

} // namespace pha
