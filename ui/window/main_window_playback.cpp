// SPDX-License-Identifier: GPL-3.0-or-later
// A run of the past in the window of the present: the panels that watch a run watch its recording instead.
#include "ui/alerts/alerts_panel.h"
#include "ui/film/film_panel.h"
#include "ui/look/icons.h"
#include "ui/session/playback.h"
#include "ui/window/log_panel.h"
#include "ui/window/main_window.h"
#include "ui/window/playback_bar.h"
#include "ui/window/run_bar.h"
#include "ui/window/status_meters.h"
#include "ui/window/window_actions.h"
#include "ui/work/capsule_work.h"

#include <QDockWidget>
#include <QSettings>
#include <QToolBar>

namespace pha::ui {

void MainWindow::connectPlayback()
{
    const auto stored = QSettings().value(QStringLiteral("playback/speed")).toString();
    playback_->setSpeed(Playback::speedNamed(stored)); // one that is none changes nothing
    connect(actions_->playBack, &QAction::triggered, this, [this] {
        if (playback_->active()) return playback_->leave();
        if (!current_ || !current_->problem().isEmpty()) return;
        playback_->start(current_);
        showPanel(monitorDock_->objectName());
        playbackBar_->focusSlider();
    });
    connect(actions_->playNext, &QAction::triggered, playback_, [this] { playback_->seekEvent(1); });
    connect(actions_->playPrevious, &QAction::triggered, playback_, [this] { playback_->seekEvent(-1); });
    connect(playback_, &Playback::failed, this, &MainWindow::showError);
    const auto forget = [this] { playUnpacked_ = false; };
    connect(capsules_, &CapsuleWork::failed, this, forget);
    connect(capsules_, &CapsuleWork::stopped, this, forget);
    connect(playback_, &Playback::changed, this, [this] {
        playbackToolBar_->setVisible(playback_->active());
        watchCurrent();
    });
    connect(playback_, &Playback::moved, this, [this] {
        if (playback_->atEnd()) updateActions(); // "Play again"
    });
}

void MainWindow::playBack(const fs::path& run, const QString& speed)
{
    playback_->setSpeed(Playback::speedNamed(speed));
    playUnpacked_ = CapsuleWork::isCapsule(run);
    openRun(run);
    std::error_code ignored; // of a run that is not there, as has been said
    if (!playUnpacked_ && current_ && fs::equivalent(current_->directory(), run, ignored))
        actions_->playBack->trigger();
}

/// The recording while there is one, else the run itself, in all that follows a run as it trains.
void MainWindow::watchCurrent()
{
    auto* recording = playback_->recording();
    auto* session = recording ? recording : current_.data();
    runBar_->setSession(session);
    logPanel_->setSession(session);
    film_->setSession(session);
    alerts_->setSession(session);
    meters_->setSession(session);
    if (!playback_->active()) compareReplay(current_);
    updateSessions();
}

bool MainWindow::refuseWhilePlaying()
{
    if (playback_->active()) showError(tr("nothing is changed while a recording is played back; leave it first (Esc)"));
    return playback_->active();
}

void MainWindow::updatePlayback()
{
    const auto& a = *actions_;
    const bool active = playback_->active(), recording = playback_->recording();
    const bool readable = current_ && current_->problem().isEmpty();
    a.playBack->setEnabled(active || readable);
    a.playBack->setText(active ? tr("Leave the recording") : tr("Play &back"));
    a.playBack->setIcon(icon(active ? QStringLiteral("close") : QStringLiteral("play")));
    WindowActions::retell(a.playBack, active ? tr("Shows the whole run again; Esc does too") : QString());
    for (auto* action : { a.playNext, a.playPrevious }) action->setEnabled(recording);
    const auto why = active ? tr("Off while a recording is played back; Esc leaves it") : QString();
    for (auto* action : { a.stopRun, a.resumeRun, a.evaluateNow, a.sampleNow, a.checkpointNow, a.changeLearningRate,
             a.changeSettings }) {
        WindowActions::retell(action, why);
        if (active) action->setEnabled(false);
    }
    WindowActions::retell(a.pauseRun, active ? tr("Halts the recording, or lets it go on") : QString());
    if (!active) return;
    a.setPause(recording, playback_->playing(), playback_->atEnd() ? tr("&Play again") : tr("&Continue"));
}

} // namespace pha::ui
