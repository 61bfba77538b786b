// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/cost_estimate.h"

#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "engine/data/tasks.h"

#include <algorithm>
#include <fstream>
#include <unistd.h>

namespace pha::ui {

namespace {

/// Without a tokenizer one of the size that is asked for will be trained. A task has its own.
RunConfig withVocabulary(RunConfig config, const std::optional<std::int64_t>& known)
{
    config.model.vocabulary = known.value_or(config.data.vocabSize);
    try {
        settleTaskShape(config);
    } catch (const Error&) { // sizes that the task cannot have: the run will say so
    }
    return config;
}

} // namespace

double availableMemory() { return double(pha::availableMemory()); }

double processMemory()
{
    std::ifstream in("/proc/self/statm");
    double total = 0, resident = 0;
    return in >> total >> resident ? resident * double(sysconf(_SC_PAGESIZE)) : 0;
}

CostEstimate estimateCosts(const RunConfig& given, const std::optional<EngineInfo>& engine,
    const std::optional<TimeEstimate::Basis>& basis, const std::optional<std::int64_t>& vocabulary,
    const std::optional<ForkPoint>& fork)
{
    auto config = withVocabulary(given, vocabulary);
    if (fork) config.model.vocabulary = fork->config.model.vocabulary; // that its weights have
    const auto& t = config.training;
    const auto costs = modelCosts(config.model, t.context);
    CostEstimate e;
    e.parameters = costs.parameters;
    e.exact = fork.has_value() || vocabulary.has_value() || findTask(config.data).has_value();
    e.memoryBytes = trainingBytes(config);
    e.availableBytes = availableMemory();
    bool onCards = false; // each of them has memory of its own
    if (engine && t.device != "cpu") {
        const auto card =
            std::find_if(engine->devices.begin(), engine->devices.end(), [](const auto& d) { return d.name != "cpu"; });
        onCards = card != engine->devices.end();
        if (onCards) e.availableBytes = double(card->memoryBytes);
    }
    if (!onCards) e.memoryBytes *= double(t.devices); // groups of threads share the processor's memory
    e.tokens = t.totalTokens() - (fork ? t.totalTokens(std::min(fork->parent.step, t.steps)) : 0);
    e.basis = basis;
    if (basis) e.seconds = TimeEstimate::seconds(*basis, config, e.tokens);
    return e;
}

} // namespace pha::ui
