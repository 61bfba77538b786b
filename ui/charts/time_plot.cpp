// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/time_plot.h"

#include "ui/charts/time_plot_p.h"

#include <QToolButton>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

/// From here on curves are one pixel wide, which Qt draws ten times faster than any other width.
constexpr std::ptrdiff_t crowd = 12;

ValueTicker* ticker(QCPAxis* axis) { return static_cast<ValueTicker*>(axis->ticker().data()); }

} // namespace

TimePlot::TimePlot(const QString& name, const QString& title, ValueKind kind, QWidget* parent)
    : ChartFrame(name, title, parent)
    , kind_(kind)
    , live_(new QToolButton(this))
    , drag_(std::make_unique<Drag>())
{
    auto* p = plot();
    p->addLayer(QStringLiteral("ghosts"), p->layer(QStringLiteral("main")), QCustomPlot::limBelow);
    p->addLayer(QStringLiteral("cursor"));
    p->layer(QStringLiteral("cursor"))->setMode(QCPLayer::lmBuffered);
    edge_ = new EdgeLabelItem(p);
    marks_ = new MarkerItem(p);
    cursor_ = new CursorItem(p);
    edge_->setLayer(QStringLiteral("legend")); // above curves and axes
    marks_->setLayer(QStringLiteral("legend"));
    cursor_->setLayer(QStringLiteral("cursor"));
    p->xAxis->setTicker(QSharedPointer<QCPAxisTicker>(new ValueTicker));
    p->yAxis->setTicker(QSharedPointer<QCPAxisTicker>(new ValueTicker));
    setTicksOutside(true);
    // Margins are fixed and equal in all charts: nothing moves when a label gets longer, and charts in a column align.
    p->axisRect()->setAutoMargins(QCP::msNone);
    live_->setObjectName(QStringLiteral("backToLive"));
    live_->setText(tr("Back to live"));
    live_->setToolTip(tr("Show everything and follow the run again (Home or double click)"));
    live_->setAccessibleName(live_->text());
    live_->hide();
    addHeaderWidget(live_);
    connect(live_, &QToolButton::clicked, this, [this] {
        fitAndFollow();
        Q_EMIT followRequested();
    });
    p->installEventFilter(this);
    setToolTip(tr("Wheel: zoom. Drag: pan. Shift+drag: zoom into a box. Double click: fit and follow.\n"
                  "Arrow keys move the cursor. Right click: data table and export."));
    setKind(kind);
    setXAxis(axis_);
    applyTheme();
}

TimePlot::~TimePlot() { plot()->removeEventFilter(this); }

TimePlot::Series* TimePlot::find(int id) const
{
    // Numbers only grow, so the list is sorted by them.
    const auto found =
        std::lower_bound(series_.begin(), series_.end(), id, [](const auto& s, int wanted) { return s->id < wanted; });
    return found != series_.end() && (*found)->id == id ? found->get() : nullptr;
}

int TimePlot::addSeries(const SeriesOptions& options)
{
    auto series = std::make_unique<Series>();
    series->id = nextId_++;
    series->options = options;
    series->graph = new SampledGraph(plot()->xAxis, plot()->yAxis);
    if (options.style == SeriesStyle::Ghost || options.style == SeriesStyle::Edge)
        series->graph->setLayer(QStringLiteral("ghosts"));
    const bool wasCrowded = crowded();
    series_.push_back(std::move(series));
    if (crowded() != wasCrowded) {
        for (const auto& s : series_) style(*s);
    } else {
        style(*series_.back());
    }
    return series_.back()->id;
}

bool TimePlot::crowded() const
{
    return std::count_if(series_.begin(), series_.end(), [](const auto& s) {
        return s->options.style != SeriesStyle::Edge;
    }) >= crowd;
}

void TimePlot::removeAllSeries()
{
    for (const auto& s : series_) plot()->removePlottable(s->graph);
    series_.clear();
    refreshTable();
}

void TimePlot::setBand(int lower, int upper)
{
    auto *low = find(lower), *high = find(upper);
    if (!low || !high) return;
    high->graph->setChannelFillGraph(low->graph);
    style(*high);
}

void TimePlot::style(Series& s)
{
    const auto& c = Theme::instance().colours();
    auto colour = s.options.colour ? s.options.colour(c) : c.text;
    if (s.options.style == SeriesStyle::Edge) {
        colour.setAlphaF(0.18F);
        s.graph->setPen(Qt::NoPen);
        s.graph->setBrush(s.graph->channelFillGraph() ? QBrush(colour) : QBrush(Qt::NoBrush));
        return;
    }
    if (s.options.style == SeriesStyle::Ghost) colour = blend(colour, c.plot, 0.32); // opaque: overlaps do not darken
    // Pens above 1.0 are fast only with phFastPolylines, which ChartFrame sets.
    const bool thin = s.options.style == SeriesStyle::Ghost || crowded();
    const double width = s.options.style == SeriesStyle::Bold ? 2 : thin ? 1 : 1.3;
    s.graph->setPen(QPen(colour, width));
    if (s.options.style == SeriesStyle::Points)
        s.graph->setScatterStyle(QCPScatterStyle(QCPScatterStyle::ssTriangle, QPen(c.plot, 0.8), colour, 8));
}

void TimePlot::applyTheme()
{
    ChartFrame::applyTheme();
    for (const auto& s : series_) style(*s);
    edge_->setFont(plot()->yAxis->tickLabelFont());
    setRightMargin(widestLabel_); // the text may have another size
    live_->setFixedHeight(fontMetrics().height() + 6); // appearing, it must not make the header taller
    auto palette = live_->palette();
    palette.setColor(QPalette::ButtonText, Theme::instance().colours().accent);
    live_->setPalette(palette);
}

void TimePlot::changeEvent(QEvent* event)
{
    ChartFrame::changeEvent(event);
    if (event->type() == QEvent::FontChange) applyTheme();
}

void TimePlot::setKind(ValueKind kind)
{
    kind_ = kind;
    ticker(plot()->yAxis)->setValues(kind);
    refreshTable();
}

void TimePlot::setXAxis(XAxis axis)
{
    edge_->setAxisName(axisName(axis));
    axis_ = axis;
    ticker(plot()->xAxis)->setCounts(axis);
    refreshTable();
}

void TimePlot::setLogarithmic(bool on)
{
    if (logarithmic_ == on) return;
    logarithmic_ = on;
    for (const auto& s : series_)
        for (const auto& [index, value] : s->notPositive)
            s->graph->replace(index, !on ? value : std::isfinite(s->lowestPositive) ? s->lowestPositive : lowestOfAll);
    plot()->yAxis->setScaleType(on ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    ticker(plot()->yAxis)->setLogarithmic(on);
    yAuto_ = true; // a range chosen on one scale means nothing on the other, and may hold no logarithm
    fitY();
    requestRedraw();
}

void TimePlot::setIgnoreOutliers(bool on)
{
    ignoreOutliers_ = on;
    requestRedraw();
}

void TimePlot::setYLimits(double low, double high)
{
    yLow_ = low;
    yHigh_ = high;
}

void TimePlot::setEdgeLabels(QVector<EdgeLabel> labels, bool fitThem)
{
    fitLabels_ = fitThem;
    edge_->set(std::move(labels));
}

void TimePlot::setRightMargin(const QString& widestLabel)
{
    widestLabel_ = widestLabel;
    const QFontMetrics metrics(font());
    const int right = widestLabel.isEmpty() ? 12 : metrics.horizontalAdvance(widestLabel) + 22;
    plot()->axisRect()->setMargins(QMargins(metrics.horizontalAdvance(QStringLiteral("1000 MiB")) + 6,
        metrics.height() / 2 + 3, right, metrics.height() + 8));
}

void TimePlot::setMarkers(QVector<PlotMarker> markers) { marks_->set(std::move(markers)); }

QStringList TimePlot::markersNear(double x) const
{
    QStringList texts;
    const double pixel = plot()->xAxis->coordToPixel(x);
    for (const auto& marker : marks_->markers())
        if (std::abs(plot()->xAxis->coordToPixel(marker.x) - pixel) <= 4 && !texts.contains(marker.text))
            texts << marker.text;
    return texts;
}

QVector<CursorValue> TimePlot::cursorValues(double x) const
{
    QVector<CursorValue> values;
    const double slack = plot()->xAxis->range().size() * 0.02;
    for (const auto& s : series_) {
        const int n = s->graph->count();
        if (!s->options.readout || n == 0 || x > s->graph->key(n - 1) + slack || x < s->graph->key(0) - slack) continue;
        int i = std::min(s->graph->lowerBound(x), n - 1);
        if (i > 0 && x - s->graph->key(i - 1) < s->graph->key(i) - x) --i;
        values.append({ s->id, s->options.owner, s->options.name, s->options.colour(Theme::instance().colours()),
            s->graph->key(i), valueAt(s->id, i), kind_, s->options.detail ? s->options.detail(i) : QString() });
    }
    return values;
}

QVector<ChartSheet> TimePlot::sheets() const
{
    QVector<ChartSheet> sheets;
    for (const auto& s : series_) {
        if (s->options.name.isEmpty()) continue;
        const int id = s->id; // the curve may be gone when the table asks
        const auto cell = [this, id](int row, int column) {
            const auto* curve = find(id);
            if (column < 2 || !curve) return QVariant(column == 0 ? xAt(id, row) : valueAt(id, row));
            return QVariant(
                row < count(id) ? curve->options.figure(row, column - 2) : std::numeric_limits<double>::quiet_NaN());
        };
        const auto line = [this, id](int row, std::vector<double>& numbers) {
            const auto* curve = find(id);
            std::fill(numbers.begin(), numbers.end(), std::numeric_limits<double>::quiet_NaN());
            if (!curve || row < 0 || row >= curve->graph->count()) return;
            numbers[0] = curve->graph->key(row);
            numbers[1] = trueValue(*curve, row);
            for (std::size_t i = 2; i < numbers.size(); ++i) numbers[i] = curve->options.figure(row, int(i) - 2);
        };
        sheets.append({ s->options.name, QStringList { axisName(axis_), title() } + s->options.columns,
            [this, id] { return count(id); }, cell, line });
    }
    return sheets;
}

} // namespace pha::ui
