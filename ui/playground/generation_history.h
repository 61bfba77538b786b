// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/work/model_worker.h"

#include <QString>
#include <QVector>

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace pha::ui {

/// One text that was written, with all that is needed to write on from it.
struct Writing {
    int number = 0; ///< counts from 1
    QString prompt; ///< what the user typed
    int given = -1; ///< tokens that were the prompt or kept; -1: not known yet
    Sampling sampling;
    std::vector<MixOverride> mix;
    std::string vocabulary; ///< whose ids its tokens have, as vocabularyOf()
    QVector<GeneratedToken> tokens; ///< those of the prompt first
    Generation figures; ///< its tokens and text are not used
    WeightsInfo weights;
    bool complete = false;
    QString origin; ///< "from token 12 of #3"; empty: from the prompt
    QString title() const;
};
using WritingPtr = std::shared_ptr<Writing>;

/// The tokenizer of a run, which is another's if they are equal; a run that does not say has one of its own.
std::string vocabularyOf(const RunSession& session);

/// The texts of one session, and the way back and forth between those that were looked at. Bounded.
class GenerationHistory {
public:
    WritingPtr begin(); ///< a new one, which becomes the current one
    WritingPtr current() const { return current_; }
    const std::deque<WritingPtr>& all() const { return all_; } ///< oldest first
    void visit(const WritingPtr& writing);
    bool canUndo() const { return !back_.empty(); }
    bool canRedo() const { return !forward_.empty(); }
    void undo();
    void redo();
    void discard(); ///< the current one; the one before it becomes current
    void prune(); ///< drops the oldest ones above the limits

    static constexpr std::size_t mostWritings = 50;
    static constexpr qsizetype mostTokens = 60'000; ///< some 600 bytes each with their alternatives

private:
    std::deque<WritingPtr> all_;
    WritingPtr current_;
    std::vector<WritingPtr> back_, forward_;
    int count_ = 0;
};

} // namespace pha::ui
