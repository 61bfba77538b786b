// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/cost_chart.h"

#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/value_ticker.h"
#include "ui/format.h"
#include "ui/inspect/look_figures.h"

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

constexpr double dotSize = 9; ///< pixels
constexpr double largestChange = 1e12; ///< of a perplexity, that an axis has room for: as perplexityToShow() has it

ValueKind kindOf(CostAxis axis)
{
    return axis == CostAxis::Weights || axis == CostAxis::Cache ? ValueKind::Bytes : ValueKind::Loss;
}

} // namespace

double costOf(const BranchCost& cell, CostAxis axis)
{
    return axis == CostAxis::Time   ? 1e3 * cell.seconds
        : axis == CostAxis::Flops   ? 1e-6 * cell.flopsPerToken
        : axis == CostAxis::Weights ? cell.weightBytes
                                    : cell.cacheBytes;
}

QString costText(double cost, CostAxis axis)
{
    if (axis == CostAxis::Time) return CostChart::tr("%1 ms").arg(formatNumber(cost, 3));
    if (axis == CostAxis::Flops) return CostChart::tr("%1 MFLOP a token").arg(formatNumber(cost, 3));
    return formatBytes(cost);
}

QString placeTitle(const PartPlace& place)
{
    return QStringLiteral("L%1 %2").arg(place.layer).arg(partTitle(fromUtf8(place.part)));
}

QString changeText(double change)
{
    if (std::isnan(change)) return formatFixed(change, 1);
    const auto size =
        std::isinf(change) ? QStringLiteral("\u221e") : formatFixed(std::abs(change), std::abs(change) < 10 ? 3 : 1);
    if (size == QLatin1String("0.000")) return QChar(0xb1) + size;
    return (change >= 0 ? QStringLiteral("+") : QStringLiteral("\u2212")) + size;
}

CostChart::CostChart(QWidget* parent)
    : ChartFrame(QStringLiteral("costChart"), tr("Costs"), parent)
{
    plot()->installEventFilter(this);
    plot()->setMouseTracking(true);
    plot()->axisRect()->setAutoMargins(QCP::msNone);
    setTicksOutside(false);
    setToolTip(tr("Every part of every layer: what it costs, and how much the perplexity grows when it is muted. Click "
                  "or drag a rectangle to select dots, with Ctrl more of them. Arrow keys move from dot to dot, Space "
                  "selects, Ctrl+A all. Right click: data table and export."));
    applyTheme();
}

void CostChart::setCosts(const CostsPtr& costs)
{
    costs_ = costs;
    selected_.clear();
    cursor_ = -1;
    rebuild();
    QStringList words;
    for (int i = 0; costs_ && i < int(costs_->cells.size()); ++i) words << reading(i);
    setAccessibleDescription(words.join(QStringLiteral("; ")));
    requestRedraw();
}

void CostChart::setAxis(CostAxis axis)
{
    axis_ = axis;
    rebuild();
    requestRedraw();
}

void CostChart::setSelected(std::vector<int> cells)
{
    selected_ = std::move(cells);
    mark();
    requestRedraw();
}

void CostChart::choose(std::vector<int> cells)
{
    std::sort(cells.begin(), cells.end());
    cells.erase(std::unique(cells.begin(), cells.end()), cells.end());
    if (cells == selected_) return;
    setSelected(std::move(cells));
    Q_EMIT selectionChanged();
}

void CostChart::toggle(int cell)
{
    auto cells = selected_;
    const auto at = std::find(cells.begin(), cells.end(), cell);
    if (at != cells.end())
        cells.erase(at);
    else
        cells.push_back(cell);
    choose(std::move(cells));
}

double CostChart::largestShown() const
{
    if (!costs_) return 0;
    std::vector<double> rises;
    for (const auto& cell : costs_->cells)
        if (const double rise = costs_->perplexityChange(cell.change); std::abs(rise) <= largestChange)
            rises.push_back(rise);
    if (rises.empty()) return 0;
    std::sort(rises.begin(), rises.end());
    // Up to a gap in which all that lies below it would lie on the axis.
    const double noise = 0.01 * costs_->plain.figures.perplexity;
    std::size_t last = rises.size() / 2;
    while (last + 1 < rises.size() && rises[last + 1] <= 100 * std::max(rises[last], noise)) ++last;
    return std::max(rises[last], 0.0);
}

double CostChart::shownRise(int cell) const
{
    const double rise = costs_->perplexityChange(costs_->cells[std::size_t(cell)].change);
    return rise <= top_ ? std::max(rise, -largestChange) : edge_; // what is not a number, too
}

void CostChart::rebuild()
{
    auto* p = plot();
    p->clearGraphs();
    p->clearItems();
    const auto& c = Theme::instance().colours();
    const int text = fontMetrics().height();
    p->axisRect()->setMargins(QMargins(
        fontMetrics().horizontalAdvance(QStringLiteral("1000 MiB")) + text + 6, text / 2 + 3, 18, 2 * text + 12));
    auto costs = QSharedPointer<ValueTicker>::create();
    costs->setValues(kindOf(axis_));
    p->xAxis->setTicker(costs);
    p->xAxis->setLabel(axis_ == CostAxis::Time ? tr("ms of a forward pass")
            : axis_ == CostAxis::Flops         ? tr("MFLOP a token, forward")
            : axis_ == CostAxis::Weights       ? tr("weights")
                                               : tr("keys, values and state of one text"));
    p->yAxis->setLabel(tr("rise of perplexity when muted"));
    top_ = largestShown();
    const int cells = costs_ ? int(costs_->cells.size()) : 0;
    double bottom = 0;
    for (int i = 0; i < cells; ++i) bottom = std::min(bottom, shownRise(i));
    const double air = 0.07 * std::max(top_ - bottom, 1e-9);
    edge_ = top_ > bottom ? top_ + air : 1;
    QVector<LegendEntry> legend;
    double right = 0;
    bool beyond = false;
    for (int i = 0; i < cells; ++i) {
        const auto& cell = costs_->cells[std::size_t(i)];
        const double x = costOf(cell, axis_), y = shownRise(i);
        const bool here = y <= top_;
        beyond = beyond || !here;
        const auto part = fromUtf8(cell.place.part);
        const auto colour = partColour(part);
        auto* graph = p->addGraph();
        graph->setLineStyle(QCPGraph::lsNone);
        graph->setScatterStyle(QCPScatterStyle(
            here ? QCPScatterStyle::ssCircle : QCPScatterStyle::ssTriangle, QPen(c.plot, 1), colour, dotSize));
        graph->addData(x, y);
        right = std::max(right, x);
        const auto title = partTitle(part);
        if (std::none_of(legend.begin(), legend.end(), [&](const LegendEntry& e) { return e.text == title; }))
            legend.append({ title, [part](const Colours&) { return partColour(part); }, LegendEntry::Mark::Box });
    }
    if (beyond)
        legend.append(
            { tr("beyond the axis"), [](const Colours& now) { return now.text; }, LegendEntry::Mark::Triangle });
    setLegend(legend);
    p->xAxis->setRange(0, right > 0 ? right * 1.06 : 1);
    p->yAxis->setRange(bottom - air, beyond ? edge_ + 0.07 * (edge_ - bottom) : edge_);
    chosen_ = p->addGraph();
    at_ = p->addGraph();
    for (auto* graph : { chosen_, at_ }) graph->setLineStyle(QCPGraph::lsNone);
    chosen_->setScatterStyle(
        QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(c.text, 2), QBrush(Qt::NoBrush), dotSize + 6));
    at_->setScatterStyle(
        QCPScatterStyle(QCPScatterStyle::ssSquare, QPen(c.accent, 1.5), QBrush(Qt::NoBrush), dotSize + 12));
    band_ = new QCPItemRect(p);
    auto inside = c.accent;
    inside.setAlphaF(0.15F);
    band_->setPen(QPen(c.accent, 1, Qt::DashLine));
    band_->setBrush(inside);
    for (auto* corner : { band_->topLeft, band_->bottomRight }) corner->setType(QCPItemPosition::ptAbsolute);
    band_->setVisible(false);
    mark();
}

void CostChart::mark()
{
    for (auto* graph : { chosen_, at_ })
        if (graph) graph->data()->clear();
    if (!costs_) return;
    const auto put = [this](QCPGraph* graph, int i) {
        const auto& cell = costs_->cells[std::size_t(i)];
        graph->addData(costOf(cell, axis_), shownRise(i));
    };
    for (const int i : selected_) put(chosen_, i);
    if (cursor_ >= 0) put(at_, cursor_);
}

void CostChart::redraw()
{
    for (auto* axis : { plot()->xAxis, plot()->yAxis })
        axis->ticker()->setTickCount(std::clamp(
            (axis == plot()->xAxis ? plot()->axisRect()->width() / 90 : plot()->axisRect()->height() / 38), 1, 8));
    ChartFrame::redraw();
}

void CostChart::applyTheme()
{
    ChartFrame::applyTheme();
    rebuild();
}

QPointF CostChart::dot(int cell) const
{
    const auto& one = costs_->cells[std::size_t(cell)];
    return { plot()->xAxis->coordToPixel(costOf(one, axis_)), plot()->yAxis->coordToPixel(shownRise(cell)) };
}

QString CostChart::reading(int cell) const
{
    const auto& one = costs_->cells[std::size_t(cell)];
    QStringList figures { tr("%1 (%2 % of the pass)")
                              .arg(costText(costOf(one, CostAxis::Time), CostAxis::Time),
                                  formatFixed(100 * one.seconds / costs_->passSeconds, 1)) };
    for (const auto axis : { CostAxis::Flops, CostAxis::Weights, CostAxis::Cache })
        if (const double cost = costOf(one, axis); cost > 0)
            figures << (axis == CostAxis::Weights ? tr("weights %1").arg(costText(cost, axis))
                    : axis == CostAxis::Cache     ? tr("cache and state %1").arg(costText(cost, axis))
                                                  : costText(cost, axis));
    return tr("%1: %2; muted: perplexity %3 (%4 nats)")
        .arg(placeTitle(one.place), figures.join(QStringLiteral(", ")),
            changeText(costs_->perplexityChange(one.change)), changeText(one.change));
}

void CostChart::setCursor(int cell)
{
    if (cell == cursor_) return;
    cursor_ = cell;
    mark();
    requestRedraw();
    Q_EMIT readingChanged(cell >= 0 ? reading(cell) : QString());
}

QVector<ChartSheet> CostChart::sheets() const
{
    if (!costs_) return {};
    return { { title(),
        { tr("layer"), tr("part"), tr("ms"), tr("share of the pass"), tr("FLOPs a token"), tr("parameters"),
            tr("weight bytes"), tr("cache bytes"), tr("nats if muted"), tr("perplexity if muted"), tr("selected") },
        [costs = costs_] { return int(costs->cells.size()); },
        [costs = costs_, this](int row, int column) -> QVariant {
            const auto& cell = costs->cells[std::size_t(row)];
            if (column == 1) return fromUtf8(cell.place.part);
            const bool chosen = std::count(selected_.begin(), selected_.end(), row) > 0;
            const double values[] { double(cell.place.layer), 0, 1e3 * cell.seconds, cell.seconds / costs->passSeconds,
                cell.flopsPerToken, double(cell.parameters), cell.weightBytes, cell.cacheBytes, cell.change,
                costs->perplexityChange(cell.change), chosen ? 1.0 : 0.0 };
            return values[column];
        } } };
}

} // namespace pha::ui
