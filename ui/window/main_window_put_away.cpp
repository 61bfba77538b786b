// SPDX-License-Identifier: GPL-3.0-or-later
// Runs that are out of the way: in the archive, where they are still listed, or in the trash. Both can be taken back.
#include "ui/format.h"
#include "ui/runs/run_panel.h"
#include "ui/window/main_window.h"
#include "ui/window/window_actions.h"

#include <QStatusBar>

namespace pha::ui {

namespace {

constexpr int messageStays = 6000; ///< milliseconds

} // namespace

void MainWindow::connectPutAway()
{
    connect(actions_->archiveRun, &QAction::triggered, this, &MainWindow::archiveCurrent);
    connect(actions_->deleteRun, &QAction::triggered, this, &MainWindow::deleteCurrent);
    connect(actions_->putBackRun, &QAction::triggered, this, &MainWindow::putBack);
    connect(runs_, &RunListModel::aboutChanged, this, &MainWindow::updateActions);
}

bool MainWindow::isArchived(const RunSession* session) const
{
    const int row = session ? runs_->rowOf(session->directory()) : -1;
    return row >= 0 && runs_->summary(row).about.archived;
}

void MainWindow::setArchived(const fs::path& directory, bool archived)
{
    AboutChange change;
    change.archived = archived;
    runs_->changeAbout(directory, change);
}

void MainWindow::archiveCurrent()
{
    if (!current_) return;
    const auto directory = current_->directory();
    const auto name = current_->name();
    if (isArchived(current_)) {
        setArchived(directory, false);
        std::erase_if(putAway_, [&](const PutAway& p) { return p.inTrash.isEmpty() && p.path == fromPath(directory); });
        updateActions();
        runPanel_->select(directory);
        statusBar()->showMessage(tr("%1 is out of the archive").arg(name), messageStays);
        return;
    }
    putAway_.push_back({ name, {}, fromPath(directory), runs_->shown().contains(current_) });
    // Its curve leaves the charts as it leaves the list, where the next one is selected.
    runs_->setShown(directory, false);
    setArchived(directory, true);
    updateActions();
    statusBar()->showMessage(tr("%1 is in the archive, at the end of the list; %2 takes it back")
                                 .arg(name, actions_->putBackRun->shortcut().toString(QKeySequence::NativeText)),
        messageStays);
}

void MainWindow::deleteCurrent()
{
    if (!current_ || current_->active()) return;
    // All of it before the question: an import or a replay that ends while it stands selects another run.
    const auto directory = current_->directory();
    const auto name = current_->name();
    const bool shown = runs_->shown().contains(current_);
    std::error_code ignored; // what cannot be looked at is treated as absent: only the row goes
    const bool onDisk = fs::exists(directory, ignored);
    if (onDisk) {
        const auto question =
            tr("Move the run %1 with its checkpoints to the trash?\n%2").arg(name, fromPath(directory));
        if (!parts_.dialogs.confirm(this, tr("Delete run"), question, tr("Move to trash"))) return;
        // The question may have stood for long: another program, or the queue, may train it by now.
        const auto* session = runs_->session(directory);
        if (RunLock::holder(directory) != 0 || (session && session->active()))
            return showError(tr("%1 is being trained, so it stays; stop the training first").arg(fromPath(directory)));
        const auto place = parts_.dialogs.moveToTrash(fromPath(directory));
        if (!place)
            return showError(
                tr("%1 could not be moved to the trash; delete the folder by hand if you no longer need it")
                    .arg(fromPath(directory)));
        putAway_.push_back({ name, *place, fromPath(directory), shown });
        statusBar()->showMessage(
            tr("%1 is in the trash; %2 puts it back").arg(name, actions_->putBackRun->shortcut().toString()),
            messageStays);
    }
    current_.clear();
    runs_->forget(directory);
    selectCurrent();
}

void MainWindow::putBack()
{
    if (putAway_.empty()) return;
    const auto last = putAway_.back();
    putAway_.pop_back();
    updateActions();
    const auto directory = toPath(last.path);
    if (last.inTrash.isEmpty()) {
        setArchived(directory, false);
    } else if (!parts_.dialogs.putBack(last.inTrash, last.path)) {
        return showError(
            tr("%1 cannot be put back to %2; look for it in the trash of the desktop").arg(last.name, last.path));
    }
    openRun(directory, last.shown);
    statusBar()->showMessage(tr("%1 is back").arg(last.name), messageStays);
}

} // namespace pha::ui
