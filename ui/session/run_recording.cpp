// SPDX-License-Identifier: GPL-3.0-or-later
// RunSession: a run as it was at a moment of its course.
#include "ui/format.h"
#include "ui/session/run_session.h"

namespace pha::ui {

std::unique_ptr<RunSession> RunSession::recordingOf(const RunSession& whole)
{
    auto recording = std::make_unique<RunSession>(whole.directory_, whole.file_);
    recording->started_ = true;
    recording->place_ = Place::Recording;
    recording->showMoment(whole, 0);
    return recording;
}

void RunSession::showMoment(const RunSession& whole, std::size_t updates)
{
    const auto before = std::tuple(state_, interrupted_, detail_, savedStep_);
    history_.showMoment(whole.history_, updates);
    updatesReported_ = std::int64_t(history_.step.size());
    savedStep_ = -1;
    for (const auto& checkpoint : history_.checkpoints)
        if (checkpoint.problem.empty()) savedStep_ = std::max(savedStep_, checkpoint.step);
    const auto* last = history_.statuses.empty() ? nullptr : &history_.statuses.back();
    const bool over = updates >= whole.history_.step.size();
    // What happened to its process is known at the end; until then it had said nothing.
    state_ = over ? whole.state_ : last ? last->state : RunState::Running;
    detail_ = over ? whole.detail_ : last ? singleLine(fromUtf8(last->detail)) : QString();
    interrupted_ = over && whole.interrupted_;
    if (before != std::tuple(state_, interrupted_, detail_, savedStep_)) Q_EMIT stateChanged();
    Q_EMIT changed();
}

void RunSession::takeFile(const RunSession& whole)
{
    file_ = whole.file_;
    Q_EMIT stateChanged();
}

} // namespace pha::ui
