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
    // Whatever makes it draw: another size of the plot alone, or text that has grown and its margins with it.
    connect(plot(), &QCustomPlot::beforeReplot, this, &RecallChart::chooseTicks);
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

/// As many as labels fit without touching.
void RecallChart::chooseTicks()
{
    constexpr int gap = 6;
    const auto room = plot()->viewport().marginsRemoved(plot()->axisRect()->margins());
    const int line = QFontMetrics(plot()->yAxis->tickLabelFont()).height();
    const double whole = room.height() / plot()->yAxis->range().size();
    const int parts = whole >= 4 * line ? 4 : whole >= 2 * line ? 2 : 1;
    auto shares = QSharedPointer<QCPAxisTickerText>::create();
    for (int i = 0; i <= parts; ++i) shares->addTick(double(i) / parts, QStringLiteral("%1 %").arg(100 * i / parts));
    plot()->yAxis->setTicker(shares);
    if (!event_ || event_->bins.empty()) return;
    // Whole ranges where they fit side by side, else where each begins, else every second of those, or every third.
    const QFontMetrics metrics(plot()->xAxis->tickLabelFont());
    const double pitch = std::max(1.0, room.width() / plot()->xAxis->range().size());
    int name = 0, start = 0;
    for (const auto& bin : event_->bins) {
        name = std::max(name, metrics.horizontalAdvance(binName(bin)));
        start = std::max(start, metrics.horizontalAdvance(QString::number(bin.distanceFrom)));
    }
    const bool ranges = name + gap <= pitch;
    const int every = ranges ? 1 : std::max(1, int(std::ceil((start + gap) / pitch)));
    auto distances = QSharedPointer<QCPAxisTickerText>::create();
    for (int i = 0; i < int(event_->bins.size()); i += every) {
        const auto& bin = event_->bins[std::size_t(i)];
        distances->addTick(i, ranges ? binName(bin) : QString::number(bin.distanceFrom));
    }
    plot()->xAxis->setTicker(distances);
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
