// SPDX-License-Identifier: GPL-3.0-or-later
// Runs that wait for their turn.
#include "engine/run/sweep_state.h"
#include "ui/charts/monitor_panel.h"
#include "ui/config_form/config_panel.h"
#include "ui/config_form/several_runs.h"
#include "ui/format.h"
#include "ui/runs/queue_bar.h"
#include "ui/runs/run_panel.h"
#include "ui/session/run_queue.h"
#include "ui/window/main_window.h"
#include "ui/window/window_actions.h"

#include <QDockWidget>
#include <QStatusBar>

namespace pha::ui {

namespace {

constexpr int wordTime = 6000; ///< milliseconds that a word in the status bar stays

} // namespace

void MainWindow::connectQueue()
{
    const auto& a = *actions_;
    auto* bar = new QueueBar({ a.moveUp, a.moveDown, a.leaveQueue, a.holdQueue });
    runPanel_->addAbove(bar);
    connect(queue_, &RunQueue::changed, this, [this, bar] {
        bar->setQueue(queue_->size(), queue_->held());
        updateActions();
    });
    connect(queue_, &RunQueue::failed, this, &MainWindow::showError);
    connect(queue_, &RunQueue::found, this, [this](int runs) {
        statusBar()->showMessage(runs == 1 ? tr("1 run waits since the last time, on hold")
                                           : tr("%1 runs wait since the last time, on hold").arg(runs));
    });
    connect(queue_, &RunQueue::folderTaken, this, [this](const fs::path& directory, const fs::path& now) {
        const auto name = singleLine(fromPath(directory.filename()));
        statusBar()->showMessage(now.empty() ? tr("%1 waits no longer: another program has trained it").arg(name)
                                             : tr("Another run has taken the folder %1; what waits gets %2")
                                                   .arg(name, singleLine(fromPath(now.filename()))),
            wordTime);
        if (runPanel_->current() != directory) return;
        if (now.empty())
            selectCurrent(); // what is on the disk there
        else
            runPanel_->select(now); // whoever looks at a waiting run goes on looking
    });
    connect(queue_, &RunQueue::starting, this, [this](const fs::path& directory) {
        if (const auto* session = runs_->session(directory))
            statusBar()->showMessage(tr("%1 starts").arg(session->name()), wordTime);
        // Who looks at the run that has ended, or at a waiting one, goes on looking.
        if (!current_) runPanel_->select(directory);
    });
    auto* form = configPanel_->form();
    connect(form, &ConfigForm::queueRequested, this,
        [this](const RunConfig& config, const QString& name, const QString& fork) {
            WaitingRun run;
            run.name = name.toStdString();
            run.config = config;
            run.forkFrom = toPath(fork);
            enqueue(std::move(run));
        });
    connect(form, &ConfigForm::severalRequested, this, &MainWindow::planSeveral);
    connect(a.queueRun, &QAction::triggered, form, &ConfigForm::requestQueue);
    connect(a.severalRuns, &QAction::triggered, this, &MainWindow::planSeveral);
    monitor_->setReleaseQueue(a.holdQueue);
    connect(a.holdQueue, &QAction::triggered, this, [this](bool held) {
        if (!held) statusBar()->clearMessage(); // it may say that they wait on hold
        queue_->setHeld(held);
    });
    connect(a.moveUp, &QAction::triggered, this, [this] {
        if (current_) queue_->move(current_->directory(), -1);
    });
    connect(a.moveDown, &QAction::triggered, this, [this] {
        if (current_) queue_->move(current_->directory(), 1);
    });
    connect(a.leaveQueue, &QAction::triggered, this, [this] {
        if (!current_) return;
        const auto directory = current_->directory();
        const auto name = current_->name();
        if (queue_->placeOf(directory) == 0) return;
        current_.clear();
        queue_->takeOut(directory);
        selectCurrent();
        statusBar()->showMessage(tr("%1 waits no longer").arg(name), wordTime);
    });
}

void MainWindow::enqueue(WaitingRun run)
{
    auto name = fromUtf8(run.name);
    run.folder = freeFolder(name).filename().string();
    if (run.folder.empty()) return;
    run.name = name.toStdString();
    if (const auto problem = queue_->add({ run }); !problem.isEmpty()) return showError(problem);
    std::error_code error;
    const auto beside = run.forkFrom.parent_path().parent_path().parent_path(); // RUNS/RUN/checkpoints/step-00000100
    statusBar()->showMessage(run.forkFrom.empty() || fs::equivalent(beside, runs_->folder(), error)
            ? tr("%1 waits in the queue").arg(singleLine(name))
            : tr("%1 waits in the queue; its checkpoint lies outside of this runs folder, so a training of that run "
                 "may remove it")
                  .arg(singleLine(name)),
        wordTime);
}

void MainWindow::planSeveral()
{
    for (const auto* open : findChildren<SeveralRuns*>())
        if (open->isVisible()) return; // modal to the window, but not to its shortcuts and the palette
    auto* draft = configPanel_->draft();
    if (!draft->config() || !draft->values().fork.isEmpty()) {
        showPanel(configDock_->objectName());
        return configPanel_->showForm(); // which says what is wrong
    }
    const auto toQueue = [this](const SweepPlan& plan) {
        std::vector<WaitingRun> runs;
        for (const auto& run : plan.runs) {
            const auto directory = runs_->folder() / run.name;
            if (runs_->rowOf(directory) < 0) {
                runs.push_back({ run.name, run.name, run.config, {}, { plan.name } });
                continue;
            }
            // Not the second time while the first ones wait. What is on the disk the dialog has looked at.
            const auto* there = runs_->session(directory);
            const auto others = there ? otherSettings(run.config, there->file().config) : std::vector<std::string>();
            if (others.empty()) continue;
            return tr("%1 is in the list already with %2 %3 instead of %4; give the sweep another name")
                .arg(fromUtf8(run.name), fromUtf8(others.front()),
                    fromUtf8(settingText(there->file().config.get(others.front()))),
                    fromUtf8(settingText(run.config.get(others.front()))));
        }
        const auto problem = runs.empty() ? QString() : queue_->add(runs);
        if (runs.empty())
            statusBar()->showMessage(tr("Nothing was added: all of these runs are in the list already"), wordTime);
        else if (problem.isEmpty())
            statusBar()->showMessage(runs.size() == 1
                    ? tr("1 run waits in the queue; its tag is %1").arg(fromUtf8(plan.name))
                    : tr("%1 runs wait in the queue; their tag is %2")
                          .arg(formatCount(std::int64_t(runs.size())), fromUtf8(plan.name)),
                wordTime);
        return problem;
    };
    auto* dialog = new SeveralRuns(draft->values(), configPanel_->form()->runName(), runs_->folder(), toQueue, this);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->open();
}

void MainWindow::updateQueueActions(bool waiting)
{
    const auto& a = *actions_;
    const int place = waiting ? queue_->placeOf(current_->directory()) : 0;
    a.moveUp->setEnabled(place > 1);
    a.moveDown->setEnabled(place > 0 && place < queue_->size());
    a.leaveQueue->setEnabled(place > 0);
    a.holdQueue->setEnabled(queue_->size() > 0 || queue_->held());
    a.holdQueue->setChecked(queue_->held());
    if (!waiting) return;
    // There is nothing of it on the disk that these could work with.
    for (auto* action : { a.renameRun, a.editAbout, a.archiveRun, a.setBaseline, a.toggleShown, a.copyPath,
             a.openFolder, a.exportCapsule, a.deleteRun })
        action->setEnabled(false);
}

} // namespace pha::ui
