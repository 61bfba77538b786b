// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/compare/scaling_chart.h"

#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/value_ticker.h"
#include "ui/claim_escape.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

constexpr double beyond = 100; ///< times the largest run
constexpr int places = 16; ///< at which the interval of a curve is worked out, a millisecond each
constexpr double dotSize = 8; ///< pixels

QString flopsText(double flops) { return QString::number(flops, 'e', 2); }
QString lossText(double loss) { return formatFixed(loss, 3); }

} // namespace

ScalingChart::ScalingChart(QWidget* parent)
    : ChartFrame(QStringLiteral("compareScalingChart"), tr("Loss against training compute"), parent)
{
    auto* p = plot();
    p->installEventFilter(this);
    p->setMouseTracking(true);
    p->axisRect()->setAutoMargins(QCP::msNone);
    p->xAxis->setScaleType(QCPAxis::stLogarithmic);
    p->yAxis->setScaleType(QCPAxis::stLogarithmic);
    p->xAxis->setTicker(QSharedPointer<QCPAxisTickerLog>::create());
    p->xAxis->setNumberFormat(QStringLiteral("eb"));
    p->xAxis->setNumberPrecision(0);
    auto losses = QSharedPointer<ValueTicker>::create();
    losses->setValues(ValueKind::Loss);
    losses->setLogarithmic(true);
    p->yAxis->setTicker(losses);
    setTicksOutside(false);
    setToolTip(tr("A dot a run: the loss of its best evaluation, and the FLOPs that it took. A hollow one is left out: "
                  "others of its group reach less with no more. The curves go on to a hundred times the largest run, "
                  "with 90 % of what the runs leave open as a band. Arrow keys or the mouse read them. Right click: "
                  "data table and export."));
    applyTheme();
}

void ScalingChart::setStudy(const ScalingStudy& study)
{
    std::vector<Group> groups;
    for (const auto& group : study.groups) {
        Group mine;
        mine.name = fromUtf8(group.name);
        mine.law = group.law;
        for (const auto& point : group.points)
            mine.dots.push_back({ fromUtf8(point.run->name), double(point.run->costs.parameters),
                double(point.run->last->tokens), point.flops, point.loss, point.beaten });
        groups.push_back(std::move(mine));
    }
    const auto same = [](const Group& a, const Group& b) { return a.name == b.name && a.dots == b.dots; };
    if (perByte_ == study.perByte && groups.size() == groups_.size()
        && std::equal(groups.begin(), groups.end(), groups_.begin(), same))
        return;
    perByte_ = study.perByte;
    groups_ = std::move(groups);
    for (auto& group : groups_) {
        if (!group.law) continue;
        const double from = group.dots.front().flops, to = beyond * measured(true);
        for (int i = 0; i < places; ++i) {
            group.places << from * std::pow(to / from, i / double(places - 1));
            const auto [low, high] = group.law->interval(group.places.back());
            group.low << low;
            group.high << high;
        }
    }
    cursor_ = 0;
    rebuild();
    setAccessibleDescription(summary());
    requestRedraw();
}

double ScalingChart::measured(bool most) const
{
    double flops = 0;
    for (const auto& group : groups_)
        for (const auto& dot : group.dots)
            flops = flops == 0 ? dot.flops : most ? std::max(flops, dot.flops) : std::min(flops, dot.flops);
    return flops;
}

void ScalingChart::rebuild()
{
    auto* p = plot();
    p->clearGraphs();
    p->clearItems();
    const auto& c = Theme::instance().colours();
    const int text = fontMetrics().height();
    p->axisRect()->setMargins(
        QMargins(fontMetrics().horizontalAdvance(QStringLiteral("10.00")) + text + 6, text / 2 + 3, 18, 2 * text + 12));
    p->xAxis->setLabel(tr("FLOPs of training"));
    p->yAxis->setLabel(perByte_ ? tr("bits a byte") : tr("nats a token"));
    QVector<LegendEntry> legend;
    double low = 0, high = 0;
    const auto include = [&](double loss) {
        low = low == 0 ? loss : std::min(low, loss);
        high = std::max(high, loss);
    };
    for (int i = 0; i < int(groups_.size()); ++i) {
        const auto& group = groups_[std::size_t(i)];
        addGroup(group, c.run(i));
        legend.append({ group.name, [i](const Colours& colours) { return colours.run(i); }, LegendEntry::Mark::Box });
        for (const auto& dot : group.dots) include(dot.loss);
        if (group.law) include(group.law->loss(beyond * measured(true)));
    }
    setLegend(legend);
    if (high > 0) {
        p->xAxis->setRange(measured(false) / 1.5, beyond * measured(true));
        p->yAxis->setRange(low / 1.05, high * 1.03);
    }
    line_ = new QCPItemStraightLine(p);
    line_->setPen(QPen(c.muted, 1, Qt::DashLine));
    line_->setVisible(false);
}

void ScalingChart::addGroup(const Group& group, const QColor& colour)
{
    auto* p = plot();
    if (group.law) {
        auto *lower = p->addGraph(), *upper = p->addGraph();
        for (int i = 0; i < group.places.size(); ++i) {
            lower->addData(group.places[i], group.low[i]);
            upper->addData(group.places[i], group.high[i]);
        }
        auto inside = colour;
        inside.setAlphaF(0.12F);
        lower->setPen(Qt::NoPen);
        upper->setPen(Qt::NoPen);
        upper->setBrush(inside);
        upper->setChannelFillGraph(lower);
        const double from = group.dots.front().flops, seen = group.dots.back().flops, to = group.places.back();
        for (const bool foreseen : { false, true }) {
            auto* curve = p->addGraph();
            curve->setPen(QPen(colour, 1, foreseen ? Qt::DashLine : Qt::SolidLine));
            const double begin = foreseen ? seen : from, end = foreseen ? to : seen;
            for (int i = 0; i <= 60; ++i) {
                const double flops = begin * std::pow(end / begin, i / 60.0);
                curve->addData(flops, group.law->loss(flops));
            }
        }
    }
    for (const bool beaten : { true, false }) {
        auto* dots = p->addGraph();
        dots->setLineStyle(QCPGraph::lsNone);
        const auto inside = beaten ? Theme::instance().colours().plot : colour;
        dots->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssCircle, QPen(colour, 1), inside, dotSize));
        for (const auto& dot : group.dots)
            if (dot.beaten == beaten) dots->addData(dot.flops, dot.loss);
    }
}

QString ScalingChart::summary() const
{
    QStringList words;
    for (const auto& group : groups_)
        words << (group.law ? tr("%1: %2 + %3 (C / %4)^\u2212%5")
                                  .arg(group.name, lossText(group.law->floor), lossText(group.law->scale),
                                      flopsText(group.law->center), formatFixed(group.law->exponent, 3))
                            : tr("%1: too few runs for a curve").arg(group.name));
    return words.join(QStringLiteral("; "));
}

QVector<ReadoutStrip::Item> ScalingChart::readingAt(double flops) const
{
    QVector<ReadoutStrip::Item> items { { {}, {}, tr("%1 FLOPs").arg(flopsText(flops)) } };
    const auto& c = Theme::instance().colours();
    for (int i = 0; i < int(groups_.size()); ++i) {
        const auto& group = groups_[std::size_t(i)];
        if (!group.law) continue;
        const auto [low, high] = group.law->interval(flops);
        items.append({ c.run(i), group.name,
            tr("%1 (%2 to %3)").arg(lossText(group.law->loss(flops)), lossText(low), lossText(high)) });
    }
    return items;
}

void ScalingChart::setCursor(double flops)
{
    if (flops == cursor_ || !line_) return;
    cursor_ = flops;
    line_->setVisible(flops > 0);
    if (flops > 0) {
        const auto range = plot()->yAxis->range();
        line_->point1->setCoords(flops, range.lower);
        line_->point2->setCoords(flops, range.upper);
    }
    requestRedraw();
    Q_EMIT readingChanged(flops > 0 ? readingAt(flops) : QVector<ReadoutStrip::Item>());
}

bool ScalingChart::eventFilter(QObject* watched, QEvent* event)
{
    if (watched == plot() && !groups_.empty()) {
        if (event->type() == QEvent::MouseMove)
            setCursor(plot()->xAxis->pixelToCoord(static_cast<QMouseEvent*>(event)->position().x()));
        if (event->type() == QEvent::Leave) setCursor(0);
    }
    return ChartFrame::eventFilter(watched, event);
}

bool ScalingChart::event(QEvent* event)
{
    return claimEscape(event, cursor_ > 0) || ChartFrame::event(event); // it drops the line
}

void ScalingChart::keyPressEvent(QKeyEvent* event)
{
    const int key = event->key();
    if (groups_.empty() || (key != Qt::Key_Left && key != Qt::Key_Right && key != Qt::Key_Escape)) {
        ChartFrame::keyPressEvent(event);
        return;
    }
    if (key == Qt::Key_Escape) {
        setCursor(0);
        return;
    }
    const double step = std::pow(10.0, key == Qt::Key_Right ? 0.1 : -0.1),
                 at = cursor_ > 0 ? cursor_ * step : measured(true);
    setCursor(std::clamp(at, measured(false), beyond * measured(true)));
}

void ScalingChart::focusOutEvent(QFocusEvent* event)
{
    setCursor(0);
    ChartFrame::focusOutEvent(event);
}

void ScalingChart::redraw()
{
    plot()->yAxis->ticker()->setTickCount(std::clamp(plot()->axisRect()->height() / 38, 2, 8));
    ChartFrame::redraw();
}

void ScalingChart::applyTheme()
{
    ChartFrame::applyTheme();
    cursor_ = 0;
    rebuild();
}

QVector<ChartSheet> ScalingChart::sheets() const
{
    if (groups_.empty()) return {};
    // By value: a table stays open while the runs change.
    std::vector<std::pair<QString, Dot>> rows;
    std::vector<std::pair<QString, ScalingLaw>> laws;
    for (const auto& group : groups_) {
        for (const auto& dot : group.dots) rows.emplace_back(group.name, dot);
        if (group.law) laws.emplace_back(group.name, *group.law);
    }
    const ChartSheet runs { tr("Runs"),
        { tr("run"), tr("group"), tr("parameters"), tr("tokens"), tr("FLOPs"), tr("loss"), tr("counts") },
        [rows] { return int(rows.size()); },
        [rows](int row, int column) -> QVariant {
            const auto& [group, dot] = rows[std::size_t(row)];
            if (column < 2) return column == 0 ? dot.run : group;
            const double values[] { dot.parameters, dot.tokens, dot.flops, dot.loss, dot.beaten ? 0.0 : 1.0 };
            return values[column - 2];
        } };
    const ChartSheet curves { tr("Curves"),
        { tr("group"), tr("floor"), tr("scale"), tr("FLOPs of the scale"), tr("exponent"), tr("misfit") },
        [laws] { return int(laws.size()); },
        [laws](int row, int column) -> QVariant {
            const auto& [group, law] = laws[std::size_t(row)];
            if (column == 0) return group;
            const double values[] { law.floor, law.scale, law.center, law.exponent, law.misfit };
            return values[column - 1];
        } };
    return { runs, curves };
}

} // namespace pha::ui
