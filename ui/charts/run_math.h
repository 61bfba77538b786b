// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/plot_marks.h"
#include "ui/session/run_history.h"

#include <optional>

namespace pha::ui {

/// Exponential mean over steps, not over rows: after d steps an old value counts s^(d / unit), and the weights are
/// normalised, so that the first values are not pulled to zero. A value that is not finite gives NaN and leaves the
/// mean alone.
class Smoother {
public:
    Smoother(double smoothing = 0, double unit = 1)
        : smoothing_(smoothing)
        , unit_(unit)
    {
    }
    double next(double step, double value);

private:
    double smoothing_, unit_;
    double sum_ = 0, weight_ = 0, last_ = 0;
    bool any_ = false;
};

/// Steps that one unit of smoothing spans: 1 up to a thousand planned steps, then a thousandth of them, so that the
/// same slider position looks the same on short and long runs.
double smoothingUnit(std::int64_t plannedSteps);

/// The column of the updates that an axis counts.
const std::vector<double>& axisColumn(const RunHistory& history, XAxis axis);
/// Place of a step on an axis: that of its update, between two of them the later one; steps beyond the last update (or
/// before the first) are placed by the nearest.
double placeOfStep(const RunHistory& history, XAxis axis, double step);
/// Row of the update that is nearest to `x` on an axis; -1 without any.
int rowNear(const RunHistory& history, XAxis axis, double x);

/// exp() of a loss, for a chart. Beyond 1e12 it is infinite, which a chart draws as a break with its mark: an axis that
/// reaches there, for a run that has diverged, has no room for the others.
double perplexityToShow(double loss);

const EvalEvent* lastValidation(const RunHistory& history);
/// (unigram - valid) / (unigram - floor): how much of what can be learnt beyond word frequencies has been learnt. The
/// floor of exactly the scored tokens where known. Nothing without a floor.
std::optional<double> gapClosed(const RunHistory& history);

/// Checkpoints, commands, resumptions and what went wrong.
QVector<PlotMarker> runMarkers(const RunHistory& history, XAxis axis);

} // namespace pha::ui
