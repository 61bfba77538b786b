// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/language_model.h"

#include <functional>
#include <map>
#include <memory>
#include <stop_token>

namespace pha {

/// Texts (B,T) on the model's device that passes are timed with: the beginning of a split, again from its beginning
/// where it ends.
Tensor textsToTime(
    const LanguageModel& model, const std::vector<std::int32_t>& tokens, std::int64_t batch, std::int64_t context);

struct PartTimes {
    double passSeconds = 0;
    struct One {
        double seconds = 0, spread = 0;
    };
    std::map<std::pair<std::int64_t, std::string>, One> parts; ///< by layer and name
};
/// Medians over `repeats` forward passes with the head, in turns: a whole one, and one in which every part's own code
/// is timed. On a card the second waits before and after every part, so that its time is its own; the whole one does
/// not. Throws Error when stopped.
PartTimes timeParts(LanguageModel& model, const Pass& pass, const Tensor& ids, int repeats,
    const std::function<void(int done)>& progress, const std::stop_token& stop);

/// Seconds of a pass of each of two networks, which take turns: those of the turn whose ratio is the median, since
/// other work on the machine slows neighbours alike.
std::pair<double, double> timeBoth(LanguageModel& one, LanguageModel& other, const Pass& pass, const Tensor& ids,
    int repeats, const std::stop_token& stop);

/// The network without some more parts, on the same memory as `model`. Throws ConfigError if there is none.
std::shared_ptr<LanguageModel> prunedModel(const LanguageModel& model, const std::vector<PartPlace>& parts);

} // namespace pha
