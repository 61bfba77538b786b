// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/recall_chart.h"

#include "ui/charts/qcustomplot_include.h"
#include "ui/format.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace pha::ui {

RecallChart::RecallChart(QWidget* parent)
    : ChartFrame(QStringLiteral("recallChart"), tr("Recall by distance"), parent)
{
    plot()->installEventFilter(this);
    plot()->axisRect()->setAutoMargins(QCP::msNone);
    plot()->yAxis->setRange(0, 1.02);
    auto ticker = QSharedPointer<QCPAxisTickerText>::create();
    for (int i = 0; i <= 4; ++i) ticker->addTick(i * 0.25, QStringLiteral("%1 %").arg(i * 25));
    plot()->yAxis->setTicker(ticker);
    plot()->xAxis->grid()->setVisible(false);
    setTicksOutside(false);
    setLegend({ { tr("correct"), [](const Colours& c) { return c.train; }, LegendEntry::Mark::Box },
        { tr("guessing"), [](const Colours& c) { return c.text; }, LegendEntry::Mark::Line } });
    applyTheme();
    setEvent({});
}

void RecallChart::setEvent(const std::optional<RecallEvent>& event)
{
    const auto same = [](const RecallEvent& a, const RecallEvent& b) {
        return a.step == b.step && a.split == b.split && a.accuracy == b.accuracy && a.bins.size() == b.bins.size();
    };
    if (event && event_ && same(*event, *event_)) return; // told each frame, new once in a while
    event_ = event;
    if (!event_ || cursor_ >= int(event_->bins.size())) cursor_ = -1;
    const bool any = event_ && !event_->bins.empty();
    setEmptyText(any ? QString() : tr("This corpus asks no questions about earlier facts."));
    auto headline = any ? tr("%1 of all").arg(formatPercent(event_->accuracy)) : QString();
    if (any && event_->exact) headline = tr("%1, whole examples %2").arg(headline, formatPercent(*event_->exact));
    setHeadline(headline);
    if (any) {
        QStringList parts;
        for (int i = 0; i < int(event_->bins.size()); ++i) parts << describe(i);
        setAccessibleDescription(parts.join(QStringLiteral("; ")));
    }
    rebuild();
    requestRedraw();
}

QString RecallChart::binName(const RecallBin& bin) const
{
    // Half open; the last bin may have no end worth printing.
    if (bin.distanceTo > 1'000'000'000 || bin.distanceTo <= bin.distanceFrom)
        return QStringLiteral("%1+").arg(bin.distanceFrom);
    if (bin.distanceTo == bin.distanceFrom + 1) return QString::number(bin.distanceFrom);
    return QStringLiteral("%1–%2").arg(bin.distanceFrom).arg(bin.distanceTo - 1);
}

QString RecallChart::describe(int index) const
{
    if (!event_ || index < 0 || index >= int(event_->bins.size())) return {};
    const auto& bin = event_->bins[std::size_t(index)];
    const double share = bin.count > 0 ? double(bin.correct) / double(bin.count) : 0;
    return counted(bin.distanceFrom == 1 && bin.distanceTo == 2 ? 1 : 2,
        tr("%1 word: %2 of %3 correct (%4), guessing %5"), tr("%1 words: %2 of %3 correct (%4), guessing %5"))
        .arg(binName(bin), formatCount(bin.correct), formatCount(bin.count), formatPercent(share),
            formatPercent(bin.chance));
}

void RecallChart::rebuild()
{
    auto* p = plot();
    p->clearPlottables();
    const int metricsHeight = fontMetrics().height();
    p->axisRect()->setMargins(QMargins(
        fontMetrics().horizontalAdvance(QStringLiteral("1000 MiB")) + 6, metricsHeight / 2 + 3, 12, metricsHeight + 8));
    if (!event_) return;
    const auto& c = Theme::instance().colours();
    auto* bars = new QCPBars(p->xAxis, p->yAxis);
    auto* marked = new QCPBars(p->xAxis, p->yAxis);
    bars->setWidth(0.72);
    marked->setWidth(0.72);
    bars->setPen(Qt::NoPen);
    marked->setPen(QPen(c.text, 1.5));
    bars->setBrush(c.train);
    marked->setBrush(c.train);
    for (int i = 0; i < int(event_->bins.size()); ++i) {
        const auto& bin = event_->bins[std::size_t(i)];
        const double share = bin.count > 0 ? double(bin.correct) / double(bin.count) : std::nan("");
        (i == cursor_ ? marked : bars)->addData(i, share);
        // Each bin has its own number of possible answers: the line is as wide as its bar.
        auto* chance = p->addGraph();
        chance->setPen(QPen(c.text, 1.2, Qt::DashLine));
        chance->addData(i - 0.44, bin.chance);
        chance->addData(i + 0.44, bin.chance);
    }
    p->xAxis->setRange(-0.6, double(event_->bins.size()) - 0.4);
}

void RecallChart::redraw()
{
    if (isVisible() && event_ && !event_->bins.empty()) {
        // Whole ranges where they fit side by side, else where each begins, else every second of those.
        const QFontMetrics metrics(plot()->xAxis->tickLabelFont());
        const int room = plot()->axisRect()->width() / int(event_->bins.size()) - 6;
        int whole = 0, start = 0;
        for (const auto& bin : event_->bins) {
            whole = std::max(whole, metrics.horizontalAdvance(binName(bin)));
            start = std::max(start, metrics.horizontalAdvance(QString::number(bin.distanceFrom)));
        }
        auto ticker = QSharedPointer<QCPAxisTickerText>::create();
        for (int i = 0; i<int(event_->bins.size()); i += whole> room && start > room ? 2 : 1) {
            const auto& bin = event_->bins[std::size_t(i)];
            ticker->addTick(i, whole <= room ? binName(bin) : QString::number(bin.distanceFrom));
        }
        plot()->xAxis->setTicker(ticker);
    }
    ChartFrame::redraw();
}

void RecallChart::applyTheme()
{
    ChartFrame::applyTheme();
    rebuild();
}

bool RecallChart::eventFilter(QObject* watched, QEvent* event)
{
    if (watched != plot()) return ChartFrame::eventFilter(watched, event);
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const auto text = describe(int(std::lround(plot()->xAxis->pixelToCoord(help->pos().x()))));
        if (text.isEmpty())
            QToolTip::hideText();
        else
            QToolTip::showText(help->globalPos(), text, plot());
        return true;
    }
    if (event->type() == QEvent::MouseButtonPress) setFocus(Qt::MouseFocusReason);
    return false;
}

void RecallChart::keyPressEvent(QKeyEvent* event)
{
    const bool arrow = event->key() == Qt::Key_Left || event->key() == Qt::Key_Right;
    if (!arrow || !event_ || event_->bins.empty()) return ChartFrame::keyPressEvent(event);
    const int last = int(event_->bins.size()) - 1;
    cursor_ = cursor_ < 0 ? (event->key() == Qt::Key_Right ? 0 : last)
                          : std::clamp(cursor_ + (event->key() == Qt::Key_Right ? 1 : -1), 0, last);
    setHeadline(describe(cursor_));
    setAccessibleDescription(describe(cursor_));
    rebuild();
    requestRedraw();
}

QVector<ChartSheet> RecallChart::sheets() const
{
    return { { tr("Recall"),
        { tr("words from"), tr("words to"), tr("questions"), tr("correct"), tr("accuracy"), tr("guessing") },
        [this] { return event_ ? int(event_->bins.size()) : 0; },
        [this](int row, int column) -> QVariant {
            if (!event_ || row >= int(event_->bins.size())) return {};
            const auto& b = event_->bins[std::size_t(row)];
            const double values[] = { double(b.distanceFrom), double(b.distanceTo), double(b.count), double(b.correct),
                b.count > 0 ? double(b.correct) / double(b.count) : std::nan(""), b.chance };
            return values[column];
        } } };
}

} // namespace pha::ui
