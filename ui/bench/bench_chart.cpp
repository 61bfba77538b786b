// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bench/bench_chart.h"

#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/value_ticker.h"
#include "ui/format.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace pha::ui {

BenchChart::BenchChart(const QString& name, const QString& title, ValueKind kind, Figure figure, QWidget* parent)
    : ChartFrame(name, title, parent)
    , kind_(kind)
    , figure_(figure)
{
    plot()->installEventFilter(this);
    plot()->axisRect()->setAutoMargins(QCP::msNone);
    setTicksOutside(false);
    auto values = QSharedPointer<ValueTicker>::create();
    values->setValues(kind);
    plot()->yAxis->setTicker(values);
    plot()->xAxis->grid()->setVisible(false);
    applyTheme();
    setRows({});
}

void BenchChart::setRows(const std::vector<BenchRow>& rows)
{
    lines_.clear();
    cursor_ = -1;
    for (const auto& row : rows) {
        const auto preset = fromUtf8(row.preset);
        auto line = std::find_if(lines_.begin(), lines_.end(), [&](const Line& l) { return l.preset == preset; });
        if (line == lines_.end()) line = lines_.insert(lines_.end(), Line { preset, {} });
        line->points.emplace_back(row.context, figure_(row));
    }
    QVector<LegendEntry> legend;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        std::sort(lines_[i].points.begin(), lines_[i].points.end());
        legend.append(
            { lines_[i].preset, [i](const Colours& c) { return c.run(int(i)); }, LegendEntry::Mark::ThickLine });
    }
    setLegend(legend);
    setHeadline({});
    setEmptyText(lines_.empty() ? tr("Choose presets and context lengths, then press Measure.") : QString());
    QStringList words;
    for (const auto context : contexts()) words << describe(context);
    setAccessibleDescription(words.join(QStringLiteral("; ")));
    rebuild();
    requestRedraw();
}

std::vector<std::int64_t> BenchChart::contexts() const
{
    std::vector<std::int64_t> all;
    for (const auto& line : lines_)
        for (const auto& [context, value] : line.points) all.push_back(context);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
}

void BenchChart::rebuild()
{
    auto* p = plot();
    p->clearGraphs();
    const int text = fontMetrics().height();
    p->axisRect()->setMargins(
        QMargins(fontMetrics().horizontalAdvance(QStringLiteral("1000 MiB")) + 6, text / 2 + 3, 14, text + 8));
    const auto& c = Theme::instance().colours();
    double top = 0;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        auto* graph = p->addGraph();
        const auto colour = c.run(int(i));
        graph->setPen(QPen(colour, 1.6));
        graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(c.plot, 1), colour, 8));
        for (const auto& [context, value] : lines_[i].points) {
            graph->addData(std::log2(double(context)), value);
            top = std::max(top, value);
        }
    }
    p->yAxis->setRange(0, top > 0 ? top * 1.08 : 1); // from zero: ratios can be seen
    const auto all = contexts();
    if (all.empty()) return;
    const double first = std::log2(double(all.front())), last = std::log2(double(all.back()));
    const double air = std::max(0.25, (last - first) * 0.05);
    p->xAxis->setRange(first - air, last + air);
}

void BenchChart::redraw()
{
    if (isVisible()) {
        const QFontMetrics metrics(plot()->xAxis->tickLabelFont());
        auto ticker = QSharedPointer<QCPAxisTickerText>::create();
        double free = -1e9; // right end of the last label
        for (const auto context : contexts()) {
            const auto words = formatCount(context);
            const double x = plot()->xAxis->coordToPixel(std::log2(double(context)));
            const double half = metrics.horizontalAdvance(words) / 2. + 4;
            if (x - half < free) continue;
            free = x + half;
            ticker->addTick(std::log2(double(context)), words);
        }
        plot()->xAxis->setTicker(ticker);
        plot()->yAxis->ticker()->setTickCount(std::clamp(plot()->axisRect()->height() / 38, 1, 8));
    }
    ChartFrame::redraw();
}

QString BenchChart::describe(std::int64_t context) const
{
    QStringList parts;
    for (const auto& line : lines_)
        for (const auto& [at, value] : line.points)
            if (at == context) parts << QStringLiteral("%1 %2").arg(line.preset, valueText(kind_, value));
    return tr("context %1: %2").arg(formatCount(context), parts.join(QStringLiteral(", ")));
}

void BenchChart::applyTheme()
{
    ChartFrame::applyTheme();
    rebuild();
}

bool BenchChart::eventFilter(QObject* watched, QEvent* event)
{
    if (watched != plot()) return ChartFrame::eventFilter(watched, event);
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const double x = plot()->xAxis->pixelToCoord(help->pos().x());
        const auto all = contexts();
        const auto nearest = std::min_element(all.begin(), all.end(), [x](std::int64_t a, std::int64_t b) {
            return std::abs(std::log2(double(a)) - x) < std::abs(std::log2(double(b)) - x);
        });
        if (nearest != all.end()) QToolTip::showText(help->globalPos(), describe(*nearest), plot());
        return true;
    }
    if (event->type() == QEvent::MouseButtonPress) setFocus(Qt::MouseFocusReason);
    return false;
}

void BenchChart::keyPressEvent(QKeyEvent* event)
{
    const auto all = contexts();
    const bool right = event->key() == Qt::Key_Right;
    if ((!right && event->key() != Qt::Key_Left) || all.empty()) return ChartFrame::keyPressEvent(event);
    cursor_ = std::clamp(cursor_ + (right ? 1 : -1), 0, int(all.size()) - 1);
    setHeadline(describe(all[std::size_t(cursor_)]));
}

QVector<ChartSheet> BenchChart::sheets() const
{
    QVector<ChartSheet> out;
    for (const auto& line : lines_)
        out.append({ line.preset, { tr("context"), title() }, [points = line.points] { return int(points.size()); },
            [points = line.points](int row, int column) -> QVariant {
                const auto& [context, value] = points[std::size_t(row)];
                return column == 0 ? double(context) : value;
            } });
    return out;
}

} // namespace pha::ui
