// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/work/capsule_work.h"

#include "engine/run/capsule.h"
#include "ui/format.h"

#include <QCoreApplication>
#include <QElapsedTimer>
#include <QPointer>

namespace pha::ui {

namespace {

constexpr int reportInterval = 100; ///< milliseconds

/// Runs `action` on the GUI thread, unless the object is gone by then.
void tell(const QPointer<CapsuleWork>& work, const std::function<void(CapsuleWork&)>& action)
{
    QMetaObject::invokeMethod(
        qApp,
        [work, action] {
            if (work) action(*work);
        },
        Qt::QueuedConnection);
}

class Reporter : public EventSink {
public:
    Reporter(QPointer<CapsuleWork> work, QString what)
        : work_(std::move(work))
        , what_(std::move(what))
    {
    }
    void publish(const Event& event) override
    {
        const auto* progress = std::get_if<ProgressEvent>(&event);
        if (!progress || progress->total <= 0 || (clock_.isValid() && clock_.elapsed() < reportInterval)) return;
        clock_.start();
        const auto text = QStringLiteral("%1, %2").arg(what_, formatPercent(progress->done / progress->total));
        tell(work_, [text](CapsuleWork& work) { Q_EMIT work.progressed(text); });
    }

private:
    QPointer<CapsuleWork> work_;
    QString what_;
    QElapsedTimer clock_;
};

} // namespace

CapsuleWork::CapsuleWork(QObject* parent)
    : QObject(parent)
{
    thread_.setMaxThreadCount(1);
}

CapsuleWork::~CapsuleWork()
{
    stop_.request_stop();
    thread_.clear();
}

bool CapsuleWork::isCapsule(const std::filesystem::path& file)
{
    std::error_code ignored; // what cannot be looked at is opened as a run, which says why not
    return fromPath(file).endsWith(QStringLiteral(".pha"), Qt::CaseInsensitive)
        && !std::filesystem::is_directory(file, ignored);
}

void CapsuleWork::start(const QString& what, const Job& job)
{
    jobs_ << what;
    thread_.start([self = QPointer<CapsuleWork>(this), stop = stop_.get_token(), what, job] {
        std::function<void(CapsuleWork&)> end;
        try {
            Reporter reporter(self, what);
            end = job(reporter, stop);
        } catch (const std::exception& error) {
            const auto message = errorLine(error);
            end = [message, asked = stop.stop_requested()](
                      CapsuleWork& work) { asked ? Q_EMIT work.stopped() : Q_EMIT work.failed(message); };
        }
        tell(self, [end](CapsuleWork& work) {
            work.jobs_.removeFirst();
            end(work);
        });
    });
}

void CapsuleWork::unpack(const std::filesystem::path& file, const std::filesystem::path& runs)
{
    start(tr("Unpacking %1").arg(singleLine(fromPath(file.filename()))),
        [file, runs](EventSink& progress, const std::stop_token& stop) -> std::function<void(CapsuleWork&)> {
            const auto run = importCapsule(file, runs, progress, stop);
            return [run](CapsuleWork& work) { Q_EMIT work.unpacked(run); };
        });
}

void CapsuleWork::pack(const std::filesystem::path& run, const std::filesystem::path& file, bool replace)
{
    start(tr("Packing %1").arg(singleLine(fromPath(file.filename()))),
        [run, file, replace](EventSink& progress, const std::stop_token& stop) -> std::function<void(CapsuleWork&)> {
            CapsuleOptions options;
            options.replace = replace;
            writeCapsule(run, file, options, progress, stop);
            return [file](CapsuleWork& work) { Q_EMIT work.packed(file); };
        });
}

void CapsuleWork::stop()
{
    stop_.request_stop();
    stop_ = {};
}

} // namespace pha::ui
