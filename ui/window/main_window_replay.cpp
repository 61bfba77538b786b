// SPDX-License-Identifier: GPL-3.0-or-later
// Runs that are done once more, and whether they came out the same.
#include "ui/format.h"
#include "ui/runs/run_panel.h"
#include "ui/session/run_queue.h"
#include "ui/window/error_banner.h"
#include "ui/window/main_window.h"
#include "ui/window/run_bar.h"
#include "ui/window/window_actions.h"
#include "ui/work/replay_work.h"

#include <QDateTime>
#include <QStatusBar>
#include <QToolBar>

namespace pha::ui {

namespace {

/// What a replay's run.json says of the run that it repeats; empty for any other run.
struct Repeated {
    fs::path run;
    QString name;
};

Repeated repeatedBy(const RunSession& session)
{
    const auto plan = session.file().environment.value("replay", Json());
    if (!plan.is_object()) return {};
    const auto name = plan.find("name");
    const auto text = name != plan.end() && name->is_string() ? name->get<std::string>() : std::string();
    return { repeatedRun(session.file()), singleLine(fromUtf8(text)) };
}

} // namespace

void MainWindow::connectReplay()
{
    connect(actions_->replayRun, &QAction::triggered, this, [this] {
        if (!current_ || replays_->reading()) return; // pressed twice, it is still one replay
        statusBar()->showMessage(tr("Reading how %1 went\u2026").arg(current_->name()));
        replays_->read(current_->directory());
    });
    connect(replays_, &ReplayWork::failed, this, [this](const QString& message) {
        statusBar()->clearMessage();
        showError(message);
    });
    connect(replays_, &ReplayWork::ready, this, &MainWindow::startReplay);
    connect(replays_, &ReplayWork::compared, this, [this](const fs::path& replay, const QString& result) {
        const auto* session = runs_->session(replay);
        if (!session) return;
        const auto said = tr("%1 (replay of %2)").arg(result, repeatedBy(*session).name);
        if (session == current_) return runBar_->setRemark(said);
        statusBar()->showMessage(QStringLiteral("%1, %2").arg(session->name(), said));
    });
    connect(controller_, &RunController::finished, this, &MainWindow::compareReplay);
}

void MainWindow::startReplay(const Replay& replay)
{
    statusBar()->clearMessage();
    auto request = replay.request();
    auto name = singleLine(fromUtf8(replay.name)) + QStringLiteral("-replay");
    if (controller_->busy()) {
        WaitingRun waiting { {}, name.toStdString(), request.config, request.forkFrom, {}, replay.toJson() };
        waiting.initFrom = request.initFrom;
        waiting.convertFrom = request.convertFrom;
        enqueue(std::move(waiting));
        return;
    }
    request.directory = freeFolder(name);
    if (request.directory.empty()) return;
    request.name = name.toStdString();
    RunFile planned;
    planned.name = request.name;
    planned.config = replay.config;
    planned.environment["replay"] = replay.toJson();
    planned.created = QDateTime::currentDateTimeUtc().toString(Qt::ISODate).toStdString();
    controller_->start(runs_->plan(request.directory, planned), request);
    for (const auto& run : { replay.run, request.directory }) // whose curves should lie on one another
        if (runs_->rowOf(run) >= 0) runs_->setShown(run, true);
    runPanel_->select(request.directory);
    bannerBar_->hide();
}

void MainWindow::compareReplay(const RunSession* session)
{
    if (!session || session->active()) return;
    if (const auto repeated = repeatedBy(*session); !repeated.run.empty())
        replays_->compare(repeated.run, session->directory());
}

} // namespace pha::ui
