// SPDX-License-Identifier: GPL-3.0-or-later
// Runs as single files: opened from the menu, by a drop or the command line, and written.
#include "ui/format.h"
#include "ui/window/main_window.h"
#include "ui/window/window_actions.h"
#include "ui/work/capsule_work.h"

#include <QDragEnterEvent>
#include <QDropEvent>
#include <QMimeData>
#include <QStatusBar>

namespace pha::ui {

namespace {

constexpr int wordStays = 6000; ///< milliseconds

/// The run directories and capsules among what is dragged over the window.
std::vector<fs::path> runsOf(const QMimeData* data)
{
    std::vector<fs::path> found;
    for (const auto& url : data->urls()) {
        if (!url.isLocalFile()) continue;
        const auto path = toPath(url.toLocalFile());
        if (CapsuleWork::isCapsule(path) || RunDirectory(path).exists()) found.push_back(path);
    }
    return found;
}

QString capsuleFilter() { return MainWindow::tr("Runs as one file (*.pha)"); }

} // namespace

void MainWindow::connectCapsules()
{
    setAcceptDrops(true);
    const auto say = [this](const QString& text) { statusBar()->showMessage(text, wordStays); };
    connect(actions_->openCapsule, &QAction::triggered, this, [this] {
        const auto file = parts_.dialogs.openFile(this, tr("Open a run that is one file"), capsuleFilter());
        if (!file.isEmpty()) capsules_->unpack(toPath(file), runs_->folder());
    });
    connect(actions_->exportCapsule, &QAction::triggered, this, &MainWindow::exportCapsule);
    connect(capsules_, &CapsuleWork::progressed, this,
        [this](const QString& text) { statusBar()->showMessage(tr("%1; Esc stops it").arg(text)); });
    connect(capsules_, &CapsuleWork::unpacked, this, [this, say](const fs::path& run) {
        openRun(run);
        if (std::exchange(playUnpacked_, false)) actions_->playBack->trigger();
        say(tr("%1 is in the list of runs now").arg(singleLine(fromPath(run.filename()))));
    });
    connect(capsules_, &CapsuleWork::packed, this, [say](const fs::path& file) {
        say(tr("%1 is written: the window opens it anywhere, and pha runs import").arg(singleLine(fromPath(file))));
    });
    connect(capsules_, &CapsuleWork::stopped, this, [say] { say(tr("Stopped; nothing is left of it")); });
    connect(capsules_, &CapsuleWork::failed, this, &MainWindow::showError);
}

void MainWindow::exportCapsule()
{
    if (!current_) return;
    const auto run = current_->directory();
    const auto suggestion = fromPath(run.filename()) + QStringLiteral(".pha");
    const auto chosen =
        parts_.dialogs.saveFile(this, tr("Export %1").arg(current_->name()), capsuleFilter(), suggestion);
    if (chosen.isEmpty()) return;
    // The dialog has asked before it gave the name of a file that is there; a name that it did not see is not replaced.
    const bool named = chosen.endsWith(QStringLiteral(".pha"), Qt::CaseInsensitive);
    capsules_->pack(run, toPath(named ? chosen : chosen + QStringLiteral(".pha")), named);
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event)
{
    if (!runsOf(event->mimeData()).empty()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event)
{
    for (const auto& run : runsOf(event->mimeData())) openRun(run);
    event->acceptProposedAction();
}

} // namespace pha::ui
