// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/work/replay_work.h"

#include "ui/format.h"

#include <QCoreApplication>
#include <QPointer>

namespace pha::ui {

ReplayWork::ReplayWork(QObject* parent)
    : QObject(parent)
{
    thread_.setMaxThreadCount(1);
}

ReplayWork::~ReplayWork() { thread_.clear(); }

void ReplayWork::start(const std::function<End()>& job)
{
    thread_.start([self = QPointer<ReplayWork>(this), job] {
        const auto end = job();
        QMetaObject::invokeMethod(
            qApp,
            [self, end] {
                if (self) end(*self);
            },
            Qt::QueuedConnection);
    });
}

void ReplayWork::read(const fs::path& run)
{
    reading_ = true;
    start([run]() -> End {
        try {
            return [replay = readReplay(run)](ReplayWork& work) {
                work.reading_ = false;
                Q_EMIT work.ready(replay);
            };
        } catch (const std::exception& error) {
            return [message = errorLine(error)](ReplayWork& work) {
                work.reading_ = false;
                Q_EMIT work.failed(message);
            };
        }
    });
}

void ReplayWork::compare(const fs::path& of, const fs::path& replay)
{
    start([of, replay]() -> End {
        QString result;
        try {
            result = RunDirectory(of).exists() ? fromUtf8(compareCourses(of, replay).text())
                                               : tr("the run that it repeats is not there any more");
        } catch (const std::exception& error) {
            result = errorLine(error);
        }
        return [replay, result](ReplayWork& work) { Q_EMIT work.compared(replay, result); };
    });
}

} // namespace pha::ui
