// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/plot_items.h"
#include "ui/charts/sampled_graph.h"
#include "ui/charts/time_plot.h"
#include "ui/charts/value_ticker.h"

#include <QPointer>
#include <QRubberBand>

#include <cmath>
#include <limits>
#include <utility>

namespace pha::ui {

/// Where values without a logarithm go when a curve has no positive one at all.
inline constexpr double lowestOfAll = 1e-9;

/// False for what is no number, and for numbers that no axis can hold: a range with one of them would be refused.
inline bool canBeDrawn(double y) { return std::abs(y) < QCPRange::maxRange / 100; }

struct TimePlot::Series {
    int id = 0;
    SeriesOptions options;
    SampledGraph* graph = nullptr; ///< owned by the plot
    /// Index and true value of points that a logarithmic axis cannot show; drawn at `lowestPositive` there.
    std::vector<std::pair<int, double>> notPositive;
    double lowestPositive = std::numeric_limits<double>::infinity();
    QVector<QPointF> breaks; ///< where a stretch of values that are not finite begins, and the last value before it
    double lastFinite = std::numeric_limits<double>::quiet_NaN();
    bool broken = false;
};

class TimePlot::Drag {
public:
    enum class Mode { None, Pressed, Pan, Box };
    Mode mode = Mode::None;
    QPoint start, last;
    QPointer<QRubberBand> band;
};

} // namespace pha::ui
