// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pha {

/// A synthetic task (models.md 13) with its sizes settled.
struct Task {
    enum class Kind { Mqar, Induction, Copying };
    Kind kind = Kind::Mqar;
    std::string name;
    std::int64_t length = 0; ///< T
    std::int64_t pairs = 0; ///< K: pairs (mqar), symbols to copy (copying), 1 (induction)
    std::int64_t symbols = 0; ///< V
    std::int64_t examples = 0; ///< of the training set; 0: endless
    std::int64_t seed = 1;
    double power = 0.01; ///< mqar: a
    bool noise = false; ///< mqar: random symbols between the queries

    /// Symbols of one example: T for mqar, T+1 with induction's query, T+K with copying's marks.
    std::int64_t exampleLength() const;
    /// Symbols that can be an answer, and those among which the text of one example leaves the choice.
    std::int64_t answers() const, candidates() const;
    /// What each id is called: "·" for the blank, "k17", "v301", "s5", "=>" and "?".
    std::vector<std::string> symbolNames() const;
    std::string description() const; ///< "mqar 1, V 512, T 64, K 4, seed 1": equal if and only if the examples are
};

/// Nothing if `config.data` is no task. Throws ConfigError for sizes that the task cannot have.
std::optional<Task> findTask(const DataConfig& config);
/// Vocabulary and context of a run on a task, which decides both; other runs stay as they are.
void settleTaskShape(RunConfig& config);
/// What a run on `data` starts from: the preset, with a recipe for many short examples if `data` is a task.
RunConfig startingPoint(const Preset& preset, const std::string& data);

/// One example. Targets stand at the index at which they are predicted; -100 everywhere else.
struct TaskExample {
    struct Answer {
        std::int64_t index = 0;
        std::int64_t distance = 0; ///< symbols since the answer was shown
    };
    std::vector<std::int32_t> ids, targets;
    std::vector<std::int32_t> lessons; ///< what is trained: induction's next symbol everywhere, else the targets
    std::vector<Answer> answers; ///< sorted by index
};

/// The example of this number: the same on every machine. No example of one split is in another, because the split is
/// decided by the symbols themselves. Throws DataError if the task is too small to have enough examples.
TaskExample writeExample(const Task& task, const std::string& split, std::uint64_t index);

} // namespace pha
