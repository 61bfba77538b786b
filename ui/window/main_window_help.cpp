// SPDX-License-Identifier: GPL-3.0-or-later
// What the Help menu of the window says.
#include "ui/format.h"
#include "ui/window/main_window.h"
#include "ui/window/shortcut_sheet.h"

#include <QAction>
#include <QCoreApplication>

namespace pha::ui {

void MainWindow::showShortcuts()
{
    auto* sheet = findChild<ShortcutSheet*>();
    if (!sheet) sheet = new ShortcutSheet(actions(), this);
    sheet->show();
    sheet->raise();
    sheet->activateWindow();
}

void MainWindow::showSystemInformation()
{
    QStringList lines;
    if (const auto& info = controller_->engineInfo()) {
        lines << tr("PHA Studio %1").arg(fromUtf8(info->version)) << tr("LibTorch %1").arg(fromUtf8(info->libtorch))
              << tr("BLAS: %1").arg(fromUtf8(info->blas))
              << counted(info->threads, tr("Processor: %1, %2 thread"), tr("Processor: %1, %2 threads"))
                     .arg(fromUtf8(info->cpuCapability))
                     .arg(info->threads);
        for (const auto& d : info->devices)
            lines
                << tr("%1: %2, %3").arg(fromUtf8(d.name), fromUtf8(d.description), formatBytes(double(d.memoryBytes)));
        if (!info->warning.empty()) lines << fromUtf8(info->warning);
    } else {
        lines << tr("The engine is not open yet.");
    }
    lines << tr("Runs: %1").arg(fromPath(runs_->folder()));
    parts_.dialogs.inform(this, tr("System information"), lines.join(QLatin1Char('\n')));
}

void MainWindow::showAbout()
{
    parts_.dialogs.inform(this, tr("About PHA Studio"),
        tr("PHA Studio %1\nInteractive experiments with hybrid language models.\n\nFree software under the GNU General "
           "Public License, version 3 or later. "
           "Comes without any warranty.")
            .arg(QCoreApplication::applicationVersion()));
}

} // namespace pha::ui
