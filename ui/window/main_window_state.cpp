// SPDX-License-Identifier: GPL-3.0-or-later
// What the window shows of the runs: the selected one in every panel, and which commands make sense now.
#include "ui/bench/bench_panel.h"
#include "ui/charts/monitor_panel.h"
#include "ui/compare/compare_panel.h"
#include "ui/config_form/config_panel.h"
#include "ui/config_form/cost_estimate.h"
#include "ui/evaluate/evaluate_panel.h"
#include "ui/format.h"
#include "ui/inspect/inspect_panel.h"
#include "ui/playground/playground_panel.h"
#include "ui/runs/run_panel.h"
#include "ui/session/playback.h"
#include "ui/window/log_panel.h"
#include "ui/window/main_window.h"
#include "ui/window/run_bar.h"
#include "ui/window/status_meters.h"
#include "ui/window/window_actions.h"

#include <QStackedWidget>

#include <algorithm>

namespace pha::ui {

void MainWindow::selectCurrent()
{
    const auto directory = runPanel_->current();
    auto* session = directory ? runs_->open(*directory) : nullptr;
    if (session == current_ && session) return;
    if (current_) disconnect(current_, &RunSession::stateChanged, this, nullptr);
    current_ = session;
    if (session) connect(session, &RunSession::stateChanged, this, &MainWindow::updateActions);
    if (playback_->active()) playback_->leave();
    configPanel_->setSession(session);
    evaluate_->setSession(session);
    playground_->setSession(session);
    inspect_->setSession(session);
    watchCurrent();
}

void MainWindow::updateSessions()
{
    auto watched = runs_->shown();
    playback_->accompany(watched);
    for (auto*& session : watched) session = playback_->shown(session);
    auto* current = playback_->shown(current_);
    monitor_->setSessions(watched, current);
    compare_->setSessions(watched, current);
    updateActions();
}

/// Says from where: who comes back after a crash wants to know what was lost.
QString MainWindow::resumeText() const
{
    if (!current_ || current_->active()) return tr("&Resume");
    const auto saved = current_->savedStep(); // a kill may come between the last update and its checkpoint
    if (current_->complete()) return tr("Train longer\u2026");
    return saved < 0 ? tr("&Resume") : tr("&Resume from %1").arg(formatCount(saved));
}

void MainWindow::updateActions()
{
    const auto& a = *actions_;
    auto* training = controller_->session();
    const bool busy = controller_->busy(), stopping = controller_->stopping();
    const bool running = training && training->job() && !stopping;
    const bool paused = running && training->state() == RunState::Paused;
    if (training) connect(training, &RunSession::stateChanged, this, &MainWindow::updateActions, Qt::UniqueConnection);
    a.setPause(running, !paused, tr("&Continue"));
    a.stopRun->setEnabled(busy && !stopping);
    a.stopRun->setText(stopping ? tr("Stopping\u2026") : tr("S&top"));
    for (auto* action : { a.evaluateNow, a.sampleNow, a.checkpointNow, a.changeLearningRate, a.changeSettings })
        action->setEnabled(running);
    a.runDemo->setEnabled(!busy);
    const bool readable = current_ && current_->problem().isEmpty();
    a.resumeRun->setEnabled(readable && !current_->active() && !busy && current_->modelSource().available);
    a.resumeRun->setText(resumeText());
    a.cloneRun->setEnabled(readable);
    a.forkRun->setEnabled(readable && current_->savedStep() >= 0);
    a.replayRun->setEnabled(readable && !current_->active() && current_->step() > 0);
    // While a new run prepares there is no file for its name.
    a.renameRun->setEnabled(readable && (current_->job() || RunDirectory(current_->directory()).exists()));
    a.editAbout->setEnabled(readable);
    a.archiveRun->setEnabled(readable);
    a.archiveRun->setText(isArchived(current_) ? tr("Take out of the &archive") : tr("&Archive"));
    a.setBaseline->setEnabled(readable);
    a.toggleShown->setEnabled(readable);
    a.toggleShown->setChecked(readable && runs_->shown().contains(current_.data()));
    a.copyPath->setEnabled(current_);
    a.openFolder->setEnabled(current_);
    a.exportCapsule->setEnabled(readable);
    a.deleteRun->setEnabled(current_ && !current_->active() && current_ != training);
    updatePlayback();
    updateQueueActions(readable && current_->placeInQueue() > 0);
    a.putBackRun->setEnabled(!putAway_.empty());
    a.putBackRun->setText(putAway_.empty()
            ? tr("P&ut back")
            : tr("P&ut back %1").arg(QString(putAway_.back().name).replace(QLatin1Char('&'), QStringLiteral("&&"))));
    const auto blocked = [&](const QString& name) {
        return !busy   ? QString()
            : paused   ? tr("%1 is paused. Stop it or let it finish, or queue this run.").arg(name)
            : training ? tr("%1 is training. Stop it, or queue this run.").arg(name)
                       : tr("The last run is still being stopped.");
    };
    const auto name = training ? training->name() : QString();
    configPanel_->form()->setBlocked(blocked(shortened(name)), blocked(name));
    bench_->setDisturbed(busy && !paused
            ? tr("A run is training: figures measured now come out too low. Pause or stop it first.")
            : QString());
    setWindowTitle(current_ ? tr("%1 - PHA Studio").arg(current_->name()) : QStringLiteral("PHA Studio"));
}

void MainWindow::updateWelcome()
{
    const bool welcome = runs_->scanned() && runs_->rowCount() == 0;
    monitorStack_->setCurrentIndex(welcome ? 0 : 1);
    if (welcome && !focusWidget()) monitorStack_->widget(0)->setFocus(Qt::OtherFocusReason); // Enter runs the demo
    // Somebody who opens the program wants to see the last run, not an empty window.
    if (runs_->scanned() && !runPanel_->current() && runs_->rowCount() > 0) {
        int newest = 0;
        for (int row = 1; row < runs_->rowCount(); ++row) {
            const auto& a = runs_->summary(row);
            const auto& b = runs_->summary(newest);
            if (std::tuple(a.active(), !a.about.archived, a.created)
                > std::tuple(b.active(), !b.about.archived, b.created))
                newest = row;
        }
        if (runs_->summary(newest).about.archived && !runs_->summary(newest).active()) return; // nothing but an archive
        runPanel_->select(runs_->summary(newest).directory);
    }
}

void MainWindow::judgeTimes() { configPanel_->form()->judgeTimeBy(runs_->folder()); }

} // namespace pha::ui
