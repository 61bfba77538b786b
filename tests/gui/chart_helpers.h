// SPDX-License-Identifier: GPL-3.0-or-later
// Events, runs and look-ups that the tests of the charts share.
#pragma once

#include "tests/gui/patience.h"
#include "ui/charts/time_plot.h"
#include "ui/session/run_session.h"

#include <limits>
#include <memory>

namespace pha::test {

using namespace pha::ui;

inline constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

inline StepEvent stepEvent(std::int64_t step, double loss)
{
    StepEvent e;
    e.step = step;
    e.tokens = step * 1000;
    e.seconds = double(step) * 0.25;
    e.loss = loss;
    e.learningRate = 1e-3;
    e.gradNorm = 0.5;
    e.tokensPerSecond = 4000;
    e.processBytes = 1 << 28;
    e.deviceBytes = 1 << 27;
    return e;
}

inline EvalEvent evalEvent(std::int64_t step, double nll, std::optional<double> floor = {})
{
    EvalEvent e;
    e.step = step;
    e.split = "valid";
    e.nll = nll;
    e.floorNll = floor;
    return e;
}

inline std::vector<Event> steps(std::int64_t from, std::int64_t to)
{
    std::vector<Event> events;
    for (auto i = from; i <= to; ++i) events.emplace_back(stepEvent(i, 5 - 0.001 * double(i)));
    return events;
}

/// A run that exists only in memory: what it receives is all there is.
inline std::unique_ptr<RunSession> session(const std::string& name, std::int64_t planned = 1000)
{
    RunFile file;
    file.name = name;
    file.config.training.steps = planned;
    return std::make_unique<RunSession>(fs::path("/nonexistent") / name, file);
}

/// Index of the curve with that name in the data table; -1.
inline int sheetIndex(const TimePlot* plot, const QString& name)
{
    const auto sheets = plot->sheets();
    for (int i = 0; i < sheets.size(); ++i)
        if (sheets[i].name == name) return i;
    return -1;
}

inline int rowsOf(const TimePlot* plot, const QString& name)
{
    const int i = sheetIndex(plot, name);
    return i < 0 ? -1 : plot->sheets()[i].rows();
}

inline double cellOf(const TimePlot* plot, const QString& name, int row, int column)
{
    const int i = sheetIndex(plot, name);
    return i < 0 ? notANumber : plot->sheets()[i].cell(row, column).toDouble();
}

} // namespace pha::test
