// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/plot_link.h"

#include "ui/charts/time_plot.h"

#include <algorithm>

namespace pha::ui {

PlotLink::PlotLink(QObject* parent)
    : QObject(parent)
{
}

void PlotLink::add(TimePlot* plot)
{
    plots_.append(plot);
    plot->setBoundsSource([link = QPointer<PlotLink>(this), plot](double& from, double& to) {
        return link ? link->bounds(from, to) : plot->xBounds(from, to);
    });
    connect(plot, &TimePlot::cursorMoved, this, [this, plot](double x) {
        for (const auto& other : std::as_const(plots_))
            if (other && other != plot) other->setCursor(x);
        Q_EMIT cursorMoved(plot, x);
    });
    connect(plot, &TimePlot::cursorLeft, this, [this] {
        for (const auto& other : std::as_const(plots_))
            if (other) other->clearCursor();
        Q_EMIT cursorLeft();
    });
    connect(plot, &TimePlot::viewChanged, this, [this, plot](double from, double to) {
        for (const auto& other : std::as_const(plots_))
            if (other && other != plot) other->showRange(from, to);
        Q_EMIT followingChanged();
    });
    connect(plot, &TimePlot::followRequested, this, &PlotLink::fitAndFollow);
}

void PlotLink::fitAndFollow()
{
    for (const auto& plot : std::as_const(plots_))
        if (plot) plot->fitAndFollow();
    Q_EMIT followingChanged();
}

bool PlotLink::following() const
{
    return std::all_of(plots_.begin(), plots_.end(), [](const auto& plot) { return !plot || plot->following(); });
}

bool PlotLink::bounds(double& from, double& to) const
{
    bool found = false;
    for (const auto& plot : plots_) {
        double a = 0, b = 0;
        if (!plot || !plot->xBounds(a, b)) continue;
        from = found ? std::min(from, a) : a;
        to = found ? std::max(to, b) : b;
        found = true;
    }
    return found;
}

} // namespace pha::ui
