// SPDX-License-Identifier: GPL-3.0-or-later
// What a Trainer does with averages of its weights (models.md 14.4).
#include "engine/base/error.h"
#include "engine/eval/model_file.h"
#include "engine/train/trainer.h"

namespace pha {

/// Averages must not end a run: a full disk or a file that is gone costs the average, and is said.
void Trainer::keepForAverages(const std::function<void()>& work)
{
    try {
        work();
    } catch (const Error& error) {
        emit(
            StatusEvent { step_, RunState::Running, std::string("an average of the weights failed: ") + error.what() });
    }
}

void Trainer::tellMissing(std::size_t weights, EventSink& progress)
{
    if (weights == 0) return;
    const auto steps = weights == 1 ? std::string("a step") : std::to_string(weights) + " steps";
    putOnRecord(
        StatusEvent { step_, RunState::Preparing,
            "the weights of " + steps + " that were kept for averages are gone, so averages are of the others" },
        progress);
}

/// Evaluates every average on the validation split and writes it to RUN/averages. Stopped, it only writes them.
void Trainer::finishAverages(const std::stop_token& stop)
{
    const auto evaluating = spends(TimeAccount::Activity::Evaluation);
    const auto scratch = emptyModel(model().config());
    scratch->to(device_);
    averages_->each(*scratch, [&](const std::string& name, const std::string& note) {
        if (auto scored = score(*scratch, stop)) {
            scored->figures.note = note;
            emit(scored->figures);
        }
        keepForAverages([&] {
            writeModelFile(averages_->newFile(name), { scratch, file_.config, step_, corpus_->tokenizer(), note });
        });
    });
}

} // namespace pha
