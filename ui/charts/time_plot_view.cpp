// SPDX-License-Identifier: GPL-3.0-or-later
// TimePlot: what part of the data is in view.
#include "ui/charts/time_plot.h"
#include "ui/charts/time_plot_p.h"

#include <QToolButton>

#include <algorithm>
#include <cmath>

namespace pha::ui {

bool TimePlot::xBounds(double& from, double& to) const
{
    bool found = false;
    for (const auto& s : series_) {
        if (s->graph->count() == 0) continue;
        const double first = s->graph->key(0), last = s->graph->key(s->graph->count() - 1);
        from = found ? std::min(from, first) : first;
        to = found ? std::max(to, last) : last;
        found = true;
    }
    return found;
}

void TimePlot::fitX()
{
    double from = 0, to = 1;
    if (!(bounds_ ? bounds_(from, to) : xBounds(from, to))) return;
    if (to <= from) to = from + 1; // one point so far
    // A little air at the right, so that the last point and its mark are whole.
    plot()->xAxis->setRange(from, to + (to - from) * 0.015);
}

bool TimePlot::valueRange(const Series& s, double from, double to, double& low, double& high) const
{
    const int n = s.graph->count();
    const int begin = s.graph->lowerBound(from), end = s.graph->lowerBound(std::nextafter(to, to + 1));
    if (begin >= std::min(end, n)) return false;
    if (!ignoreOutliers_ || end - begin < 20) return s.graph->extremes(begin, end, low, high);
    std::vector<double> sample; // an even sample is enough to know where the bulk lies
    const int step = std::max(1, (end - begin) / 2048);
    for (int i = begin; i < end; i += step)
        if (std::isfinite(s.graph->value(i))) sample.push_back(s.graph->value(i));
    if (sample.size() < 2) return s.graph->extremes(begin, end, low, high);
    const auto at = [&](double share) {
        const auto place = sample.begin() + std::ptrdiff_t(share * double(sample.size() - 1));
        std::nth_element(sample.begin(), place, sample.end());
        return *place;
    };
    low = at(0.01);
    high = at(0.99);
    return true;
}

void TimePlot::fitY()
{
    if (yLow_ < yHigh_) return plot()->yAxis->setRange(yLow_, yHigh_);
    const auto range = plot()->xAxis->range();
    double low = 0, high = 0;
    bool found = false;
    const auto include = [&](double a, double b) {
        low = found ? std::min(low, a) : a;
        high = found ? std::max(high, b) : b;
        found = true;
    };
    for (const auto& s : series_) {
        double a = 0, b = 0;
        if (valueRange(*s, range.lower, range.upper, a, b)) include(a, b);
    }
    if (found && fitLabels_ && following_) // zoomed in, the curves alone decide
        for (const auto& label : edge_->labels())
            if (label.line && std::isfinite(label.value)) include(label.value, label.value);
    if (!found) return;
    if (logarithmic_) {
        high = std::max(high, 1e-8);
        low = std::clamp(low, high * 1e-12, high);
        const double pad = low < high ? std::pow(high / low, 0.05) : 1.3;
        return plot()->yAxis->setRange(low / pad, high * pad);
    }
    if (fromZero_ && low >= 0) low = 0;
    const double pad = high > low ? (high - low) * 0.06 : std::max(std::abs(high) * 0.1, 1e-6);
    plot()->yAxis->setRange(fromZero_ && low == 0 ? 0 : low - pad, high + pad);
}

void TimePlot::fitAndFollow()
{
    following_ = yAuto_ = true;
    live_->hide();
    requestRedraw();
}

void TimePlot::showRange(double from, double to)
{
    if (!(to > from)) return;
    following_ = false;
    live_->show();
    plot()->xAxis->setRange(from, to);
    requestRedraw();
}

void TimePlot::redraw()
{
    if (isVisible()) {
        if (following_) fitX();
        if (yAuto_) fitY();
        const auto* rect = plot()->axisRect();
        // As many ticks as labels fit without touching.
        plot()->xAxis->ticker()->setTickCount(std::max(1, rect->width() / 90));
        plot()->yAxis->ticker()->setTickCount(std::clamp(int(std::lround(rect->height() / 38.)), 1, 9));
        QVector<QPointF> breaks;
        for (const auto& s : series_) {
            breaks += s->breaks;
            // Hundreds of triangles hide each other and the line.
            if (s->options.style == SeriesStyle::Points)
                s->graph->setScatterSkip(s->graph->count() / std::max(20, rect->width() / 10));
        }
        marks_->setBreaks(std::move(breaks));
        if (cursorShown_) setCursor(cursorX_);
    }
    ChartFrame::redraw();
}

void TimePlot::zoomX(double factor, double centre)
{
    double from = 0, to = 1;
    if (!(bounds_ ? bounds_(from, to) : xBounds(from, to))) return;
    const double size = plot()->xAxis->range().size() * factor;
    if (size < (to - from) * 1e-7 || size > (to - from) * 3 + 2) return; // nothing to see closer or farther
    plot()->xAxis->scaleRange(factor, centre);
    userChangedView();
}

void TimePlot::zoomY(double factor, double centre)
{
    yAuto_ = false;
    plot()->yAxis->scaleRange(factor, centre);
    following_ = false;
    live_->show();
    requestRedraw();
}

void TimePlot::pan(double dx, double dy)
{
    auto *x = plot()->xAxis, *y = plot()->yAxis;
    x->moveRange(x->pixelToCoord(0) - x->pixelToCoord(dx));
    if (!yAuto_) {
        const double top = y->pixelToCoord(plot()->axisRect()->top() - dy),
                     bottom = y->pixelToCoord(plot()->axisRect()->bottom() - dy);
        y->setRange(bottom, top);
    }
    userChangedView();
}

void TimePlot::userChangedView()
{
    following_ = false;
    live_->show();
    requestRedraw();
    Q_EMIT viewChanged(plot()->xAxis->range().lower, plot()->xAxis->range().upper);
}

} // namespace pha::ui
