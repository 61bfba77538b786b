// SPDX-License-Identifier: GPL-3.0-or-later
// The list of runs: notes, tags and the archive.
#include "ui/format.h"
#include "ui/runs/run_list_model.h"

#include <QCoreApplication>
#include <QPointer>

namespace pha::ui {

void RunListModel::setAbout(int row, const RunAbout& about, const QString& problem)
{
    auto& s = rows_[std::size_t(row)].summary;
    if (s.about == about && s.aboutProblem == problem) return;
    s.about = about;
    s.aboutProblem = problem;
    Q_EMIT dataChanged(index(row), index(row));
    Q_EMIT aboutChanged(s.directory);
}

void RunListModel::changeAbout(const fs::path& directory, const AboutChange& change)
{
    const int row = rowOf(directory);
    if (row < 0) return;
    auto about = summary(row).about;
    try {
        change.applyTo(about);
    } catch (const std::exception& error) {
        Q_EMIT failed(errorLine(error));
        return;
    }
    const auto* session = rows_[std::size_t(row)].session;
    const bool planned = session && !session->job() && !RunDirectory(directory).exists();
    if (planned)
        heldBack_[directory].push_back(change);
    else
        writeAbout(directory, change);
    setAbout(row, about, summary(row).aboutProblem);
}

void RunListModel::writeHeldBack(const RunSession* session)
{
    if (!session->job()) return; // its folder is not there yet
    const auto held = heldBack_.extract(session->directory());
    if (held.empty()) return;
    for (const auto& change : held.mapped()) writeAbout(session->directory(), change);
}

void RunListModel::writeAbout(const fs::path& directory, const AboutChange& change)
{
    ++writing_[directory];
    writer_.start([self = QPointer<RunListModel>(this), directory, change] {
        RunAbout now;
        QString problem;
        try {
            now = pha::changeAbout(directory, change);
        } catch (const std::exception& error) {
            problem = errorLine(error);
        }
        // The list may be gone: only the GUI thread can tell.
        QMetaObject::invokeMethod(
            qApp,
            [self, directory, now, problem] {
                if (self) self->aboutWritten(directory, now, problem);
            },
            Qt::QueuedConnection);
    });
}

void RunListModel::aboutWritten(const fs::path& directory, const RunAbout& about, const QString& problem)
{
    const bool last = --writing_[directory] == 0;
    if (last) writing_.erase(directory);
    if (!problem.isEmpty()) Q_EMIT failed(problem);
    const int row = rowOf(directory);
    if (row < 0 || !last) return;
    if (problem.isEmpty()) return setAbout(row, about, {});
    // What was shown has not been written: what stands on the disk counts.
    const auto there = readSummary(directory);
    Q_EMIT aboutNotWritten(directory, there.about);
    setAbout(row, there.about, there.aboutProblem);
}

} // namespace pha::ui
