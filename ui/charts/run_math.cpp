// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/run_math.h"

#include "engine/run/run_figures.h"
#include "ui/format.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>
#include <limits>

namespace pha::ui {

namespace {

QString markerWord(const char* text) { return QCoreApplication::translate("pha::ui::RunMarkers", text); }

} // namespace

double Smoother::next(double step, double value)
{
    if (!std::isfinite(value)) return std::numeric_limits<double>::quiet_NaN();
    const double keep = any_ ? std::pow(smoothing_, std::max(0., step - last_) / unit_) : 0;
    sum_ = sum_ * keep + value;
    weight_ = weight_ * keep + 1;
    last_ = step;
    any_ = true;
    return sum_ / weight_;
}

double smoothingUnit(std::int64_t plannedSteps) { return std::max(1., double(plannedSteps) / 1000); }

const std::vector<double>& axisColumn(const RunHistory& history, XAxis axis)
{
    return axis == XAxis::Step ? history.step : axis == XAxis::Tokens ? history.tokens : history.seconds;
}

double placeOfStep(const RunHistory& history, XAxis axis, double step)
{
    if (axis == XAxis::Step) return step;
    const auto& steps = history.step;
    const auto& column = axisColumn(history, axis);
    if (column.empty() || step <= 0) return 0;
    const auto found = std::lower_bound(steps.begin(), steps.end(), step);
    return column[std::size_t(std::min<std::ptrdiff_t>(found - steps.begin(), std::ptrdiff_t(column.size()) - 1))];
}

int rowNear(const RunHistory& history, XAxis axis, double x)
{
    const auto& column = axisColumn(history, axis);
    if (column.empty()) return -1;
    auto i = std::lower_bound(column.begin(), column.end(), x) - column.begin();
    i = std::min<std::ptrdiff_t>(i, std::ptrdiff_t(column.size()) - 1);
    if (i > 0 && x - column[std::size_t(i - 1)] < column[std::size_t(i)] - x) --i;
    return int(i);
}

double perplexityToShow(double loss)
{
    const double perplexity = std::exp(loss);
    return perplexity > 1e12 ? std::numeric_limits<double>::infinity() : perplexity;
}

const EvalEvent* lastValidation(const RunHistory& history)
{
    const auto found = std::find_if(history.evals.rbegin(), history.evals.rend(), isValidation);
    return found == history.evals.rend() ? nullptr : &*found;
}

std::optional<double> gapClosed(const RunHistory& history)
{
    const auto* eval = lastValidation(history);
    return eval ? pha::gapClosed(history.references, *eval) : std::nullopt;
}

QVector<PlotMarker> runMarkers(const RunHistory& history, XAxis axis)
{
    QVector<PlotMarker> markers;
    const auto at = [&](std::int64_t step) { return placeOfStep(history, axis, double(step)); };
    const auto when = [](std::int64_t step) { return formatCount(step); };
    using Kind = PlotMarker::Kind;

    const CheckpointEvent* best = nullptr;
    for (const auto& c : history.checkpoints)
        if (c.best && c.problem.empty()) best = &c; // the last one that was best still is
    for (const auto& c : history.checkpoints) {
        if (!c.problem.empty())
            markers.append({ at(c.step), Kind::Trouble,
                markerWord("Step %1: checkpoint not written: %2").arg(when(c.step), singleLine(fromUtf8(c.problem))) });
        else if (&c == best)
            markers.append(
                { at(c.step), Kind::BestCheckpoint, markerWord("Step %1: best checkpoint").arg(when(c.step)) });
        else
            markers.append({ at(c.step), Kind::Checkpoint, markerWord("Step %1: checkpoint").arg(when(c.step)) });
    }
    for (const auto& a : history.alerts)
        markers.append({ at(a.step), Kind::Trouble,
            markerWord("Step %1: %2").arg(when(a.step), singleLine(fromUtf8(a.message))) });
    for (const auto& c : history.commands) {
        auto what = fromUtf8(c.name).replace(QLatin1Char('_'), QLatin1Char(' '));
        if (!c.value.empty()) what += QStringLiteral(" → ") + singleLine(fromUtf8(c.value)).left(60);
        const bool resumed = c.name == "resume";
        if (resumed && !markers.isEmpty() && markers.last().kind == Kind::Command && markers.last().x == at(c.step)) {
            markers.last().text += QStringLiteral(", ") + what; // paused and resumed at one step: one line, both words
            continue;
        }
        markers.append(
            { at(c.step), resumed ? Kind::Resumed : Kind::Command, markerWord("Step %1: %2").arg(when(c.step), what) });
    }
    for (std::size_t i = 0; i < history.statuses.size(); ++i) {
        const auto& s = history.statuses[i];
        const auto detail = s.detail.empty() ? QString() : QStringLiteral(": ") + singleLine(fromUtf8(s.detail));
        if (s.state == RunState::Diverged)
            markers.append({ at(s.step), Kind::Trouble, markerWord("Step %1: diverged%2").arg(when(s.step), detail) });
        else if (s.state == RunState::Failed)
            markers.append({ at(s.step), Kind::Trouble, markerWord("Step %1: failed%2").arg(when(s.step), detail) });
        else if (s.state == RunState::Running && s.step > 0 && i > 0
            && history.statuses[i - 1].state != RunState::Paused)
            markers.append(
                { at(s.step), Kind::Resumed, markerWord("Step %1: continued from a checkpoint").arg(when(s.step)) });
    }
    return markers;
}

} // namespace pha::ui
