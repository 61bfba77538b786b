// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/status_meters.h"

#include "ui/config_form/cost_estimate.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QStringList>

#include <utility>

namespace pha::ui {

StatusMeters::StatusMeters(std::function<double()> longestTask, QWidget* parent)
    : QWidget(parent)
    , longestTask_(std::move(longestTask))
    , saved_(new QLabel)
    , points_(new QLabel)
    , time_(new QLabel)
    , frame_(new QLabel)
    , memory_(new QLabel)
{
    setObjectName(QStringLiteral("statusMeters"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 6, 0);
    row->setSpacing(18);
    const auto add = [&](QLabel* label, const QString& id, const QString& tip) {
        label->setObjectName(id);
        label->setTextFormat(Qt::PlainText);
        label->setToolTip(plainToolTip(tip));
        setRole(label, "small");
        row->addWidget(label);
    };
    add(saved_, QStringLiteral("savedMeter"), tr("Update of the newest checkpoint of the selected run"));
    add(points_, QStringLiteral("pointsMeter"),
        tr("Updates kept of those that the selected run reported: the charts leave nothing out"));
    add(time_, QStringLiteral("timeMeter"), {});
    add(frame_, QStringLiteral("frameMeter"), tr("Longest time in the last second that the window could not answer"));
    add(memory_, QStringLiteral("memoryMeter"), tr("Memory that this program takes, engine included"));
    for (auto* label : { frame_, memory_ }) label->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    // Room for what they will say, so that nothing moves or is cut while it changes.
    frame_->setMinimumWidth(frame_->fontMetrics().horizontalAdvance(tr("UI %1 ms/frame").arg(8888)));
    memory_->setMinimumWidth(memory_->fontMetrics().horizontalAdvance(tr("memory %1").arg(QLatin1String("888.8 MiB"))));
    connect(&timer_, &QTimer::timeout, this, &StatusMeters::refresh);
    timer_.start(1000);
    refresh();
}

void StatusMeters::setSession(RunSession* session)
{
    session_ = session;
    refresh();
}

void StatusMeters::refresh()
{
    if (session_) {
        const auto& h = session_->history();
        const auto all = session_->updatesReported();
        points_->setText(counted(all, tr("%1/%2 point kept"), tr("%1/%2 points kept"))
                             .arg(formatCount(std::int64_t(h.step.size())), formatCount(all)));
        const auto step = session_->savedStep();
        saved_->setText(step < 0 ? QString() : tr("saved at step %1").arg(formatCount(step)));
    }
    refreshTime();
    points_->setVisible(session_ && session_->updatesReported() > 0);
    saved_->setVisible(session_ && !saved_->text().isEmpty());
    if (longestTask_) frame_->setText(tr("UI %1 ms/frame").arg(formatFixed(longestTask_(), 0)));
    frame_->setVisible(bool(longestTask_));
    memory_->setText(tr("memory %1").arg(formatBytes(processMemory())));
}

/// What watching costs, and in the tooltip where the rest of the time goes.
void StatusMeters::refreshTime()
{
    const auto* time = session_ && !session_->history().times.empty() ? &session_->history().times.back() : nullptr;
    time_->setVisible(time && time->total() > 0);
    if (!time_->isVisibleTo(this)) return;
    const auto share = [&](double seconds) { return tr("%1 %").arg(formatFixed(100 * seconds / time->total(), 1)); };
    time_->setText(tr("monitoring %1").arg(share(time->monitoring)));
    QStringList lines {
        tr("Where the time of the training process went, %1 in all:").arg(formatDuration(time->total()))
    };
    const std::pair<QString, double> parts[] { { tr("updates %1"), time->updates },
        { tr("waiting for their texts %1"), time->data }, { tr("evaluations %1"), time->evaluation },
        { tr("samples %1"), time->samples }, { tr("checkpoints %1"), time->checkpoints },
        { tr("monitoring %1 (mixing weights, alerts, meters, metrics.jsonl); its interval is the setting mix_every"),
            time->monitoring } };
    for (const auto& [name, seconds] : parts) lines << name.arg(share(seconds));
    time_->setToolTip(plainToolTip(lines.join(QLatin1Char('\n'))));
}

} // namespace pha::ui
