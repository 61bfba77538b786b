// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/seed_groups.h"

#include <optional>
#include <vector>

namespace pha::ui {

struct CurvePoint {
    double x = 0, y = 0;
};
using Curve = std::vector<CurvePoint>; ///< x never decreases

/// What several curves have at one place.
struct SpreadPoint {
    double x = 0;
    std::optional<Spread> spread; ///< nothing if one of them is not finite there
    std::size_t curves = 0; ///< that reach this place
};

/// Walks over some curves from left to right and says at each place where one of them has a point what all of them
/// have. It begins where the last of them begins, and each counts as far as it goes: its own end is where it drops out,
/// so that nothing is made up, and fewer than two have no mean. Copying it remembers a place.
///
/// A curve has at a place what is drawn there: its point, or what the straight line between its neighbours shows. Runs
/// of equal settings report the same steps, so over steps and tokens lines are read only where somebody had a run
/// evaluated between two evaluations that were due; over time, where no two runs have a point at one place, always.
class SpreadWalk {
public:
    /// The curves may get longer meanwhile.
    explicit SpreadWalk(const std::vector<Curve>& curves);
    bool next(SpreadPoint& point); ///< false: no two curves go on from here
    /// A curve has got points up to `x` that this walk has passed without them, or has begun after the place where this
    /// walk did: it begins elsewhere now.
    bool missed(double x) const;
    /// The only curve that goes on, and its first point from here; nothing if it is not one.
    std::optional<std::pair<std::size_t, std::size_t>> alone() const;

private:
    bool goesOn(std::size_t i) const { return at_[i] < (*curves_)[i].size(); }
    double valueAt(std::size_t i, double x) const;

    const std::vector<Curve>* curves_;
    double begin_; ///< the walk reads no curve before this place
    std::vector<std::size_t> at_; ///< of each the first point that is still to come
    std::vector<double> values_; ///< at the present place
};

/// How far a band reaches from the mean.
enum class BandKind { Range, Deviation, StandardError };
double lowerEdge(const Spread& spread, BandKind kind);
double upperEdge(const Spread& spread, BandKind kind);
double standardError(const Spread& spread); ///< of the mean

} // namespace pha::ui
