// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/run_times.h"

#include <QCoreApplication>
#include <QPointer>
#include <QThreadPool>

#include <utility>

namespace pha::ui {

RunTimes::RunTimes(QObject* parent)
    : QObject(parent)
    , estimate_(std::make_shared<std::optional<TimeEstimate>>())
{
}

void RunTimes::look(const fs::path& folder)
{
    folder_ = folder;
    stale_ = true;
    if (config_) ask(*config_);
}

void RunTimes::ask(const RunConfig& config)
{
    config_ = config;
    asked_ = true;
    if (!busy_ && !folder_.empty()) answer();
}

void RunTimes::answer()
{
    busy_ = true, asked_ = false;
    QThreadPool::globalInstance()->start([self = QPointer<RunTimes>(this), estimate = estimate_, folder = folder_,
                                             config = *config_, stale = std::exchange(stale_, false)] {
        std::optional<TimeEstimate::Basis> basis;
        try {
            if (stale || !*estimate) estimate->emplace(folder);
            basis = (*estimate)->basis(config);
        } catch (const std::exception&) {
            estimate->reset(); // a folder that cannot be read: the list of runs says so
        }
        // Only the GUI thread can tell whether anybody still waits; the application outlives the pool.
        QMetaObject::invokeMethod(
            qApp,
            [self, basis] {
                if (!self) return;
                self->busy_ = false;
                Q_EMIT self->answered(basis);
                if (self && self->asked_) self->answer();
            },
            Qt::QueuedConnection);
    });
}

} // namespace pha::ui
