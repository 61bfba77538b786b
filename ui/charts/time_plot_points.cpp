// SPDX-License-Identifier: GPL-3.0-or-later
// TimePlot: the points of its curves.
#include "ui/charts/time_plot.h"
#include "ui/charts/time_plot_p.h"

#include <algorithm>
#include <cmath>

namespace pha::ui {

void TimePlot::clearPoints(int id)
{
    auto* s = find(id);
    if (!s) return;
    s->graph->clearPoints();
    s->notPositive.clear();
    s->breaks.clear();
    s->lowestPositive = std::numeric_limits<double>::infinity();
    s->lastFinite = std::numeric_limits<double>::quiet_NaN();
    s->broken = false;
}

void TimePlot::append(int id, double x, double y)
{
    auto* s = find(id);
    if (!s || !std::isfinite(x)) return;
    if (!canBeDrawn(y)) {
        if (!s->broken) s->breaks.append(QPointF(x, s->lastFinite));
        s->broken = true;
        s->graph->append(x, std::numeric_limits<double>::quiet_NaN());
        return;
    }
    s->broken = false;
    s->lastFinite = y;
    if (y > 0) {
        s->lowestPositive = std::min(s->lowestPositive, y);
    } else {
        s->notPositive.emplace_back(s->graph->count(), y);
        if (logarithmic_) y = std::isfinite(s->lowestPositive) ? s->lowestPositive : lowestOfAll;
    }
    s->graph->append(x, y);
}

bool TimePlot::replace(int id, int index, double y)
{
    auto* s = find(id);
    if (!s || !(y > 0 && canBeDrawn(y)) || !(valueAt(id, index) > 0)) return false; // NaN: not there, or a gap
    s->graph->replace(index, y);
    s->lowestPositive = std::min(s->lowestPositive, y);
    if (index == s->graph->count() - 1) s->lastFinite = y;
    return true;
}

void TimePlot::truncate(int id, int count)
{
    auto* s = find(id);
    if (!s || count >= s->graph->count()) return;
    if (count <= 0) return clearPoints(id);
    s->graph->truncate(count);
    while (!s->notPositive.empty() && s->notPositive.back().first >= count) s->notPositive.pop_back();
    const double last = s->graph->key(count - 1);
    while (!s->breaks.isEmpty() && s->breaks.last().x() > last) s->breaks.removeLast();
    s->broken = !std::isfinite(s->graph->value(count - 1));
    if (!s->broken)
        s->lastFinite = valueAt(id, count - 1);
    else if (!s->breaks.isEmpty())
        s->lastFinite = s->breaks.last().y();
}

int TimePlot::count(int id) const
{
    const auto* s = find(id);
    return s ? s->graph->count() : 0;
}

double TimePlot::xAt(int id, int index) const
{
    const auto* s = find(id);
    return s && index >= 0 && index < s->graph->count() ? s->graph->key(index)
                                                        : std::numeric_limits<double>::quiet_NaN();
}

double TimePlot::valueAt(int id, int index) const
{
    const auto* s = find(id);
    if (!s || index < 0 || index >= s->graph->count()) return std::numeric_limits<double>::quiet_NaN();
    return trueValue(*s, index);
}

double TimePlot::trueValue(const Series& series, int index)
{
    const auto& list = series.notPositive;
    const auto found =
        std::lower_bound(list.begin(), list.end(), index, [](const auto& entry, int i) { return entry.first < i; });
    return found != list.end() && found->first == index ? found->second : series.graph->value(index);
}

} // namespace pha::ui
