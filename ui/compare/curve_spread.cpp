// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/compare/curve_spread.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pha::ui {

namespace {

double halfWidth(const Spread& spread, BandKind kind)
{
    return kind == BandKind::StandardError ? standardError(spread) : spread.deviation;
}

} // namespace

SpreadWalk::SpreadWalk(const std::vector<Curve>& curves)
    : curves_(&curves)
    , begin_(-std::numeric_limits<double>::infinity())
    , at_(curves.size())
{
    for (const auto& curve : curves)
        if (!curve.empty()) begin_ = std::max(begin_, curve.front().x);
    for (std::size_t i = 0; i < curves.size(); ++i)
        at_[i] = std::size_t(std::lower_bound(curves[i].begin(), curves[i].end(), begin_,
                                 [](const CurvePoint& point, double x) { return point.x < x; })
            - curves[i].begin());
}

double SpreadWalk::valueAt(std::size_t i, double x) const
{
    const auto& curve = (*curves_)[i];
    const auto& right = curve[at_[i]];
    if (right.x == x) return right.y;
    const auto& left = curve[at_[i] - 1];
    return left.y + (right.y - left.y) * (x - left.x) / (right.x - left.x);
}

bool SpreadWalk::next(SpreadPoint& point)
{
    point = SpreadPoint();
    point.x = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < at_.size(); ++i) {
        if (!goesOn(i)) continue;
        ++point.curves;
        point.x = std::min(point.x, (*curves_)[i][at_[i]].x);
    }
    if (point.curves < 2) return false;
    values_.clear();
    for (std::size_t i = 0; i < at_.size(); ++i) {
        if (!goesOn(i)) continue;
        const auto& curve = (*curves_)[i];
        // The last of several points at one place is what stood there in the end.
        while (at_[i] + 1 < curve.size() && curve[at_[i] + 1].x == point.x) ++at_[i];
        values_.push_back(valueAt(i, point.x));
        if (curve[at_[i]].x == point.x) ++at_[i];
    }
    point.spread = spreadOf(values_);
    return true;
}

bool SpreadWalk::missed(double x) const
{
    for (std::size_t i = 0; i < at_.size(); ++i)
        if (goesOn(i) && ((*curves_)[i][at_[i]].x <= x || (*curves_)[i].front().x > begin_)) return true;
    return false;
}

std::optional<std::pair<std::size_t, std::size_t>> SpreadWalk::alone() const
{
    std::optional<std::pair<std::size_t, std::size_t>> found;
    for (std::size_t i = 0; i < at_.size(); ++i) {
        if (!goesOn(i)) continue;
        if (found) return {};
        found = { i, at_[i] };
    }
    return found;
}

double standardError(const Spread& spread) { return spread.deviation / std::sqrt(double(spread.count)); }

double lowerEdge(const Spread& spread, BandKind kind)
{
    return kind == BandKind::Range ? spread.least : spread.mean - halfWidth(spread, kind);
}

double upperEdge(const Spread& spread, BandKind kind)
{
    return kind == BandKind::Range ? spread.most : spread.mean + halfWidth(spread, kind);
}

} // namespace pha::ui
