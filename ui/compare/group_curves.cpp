// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/compare/group_curves.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>

namespace pha::ui {

namespace {
constexpr double infinite = std::numeric_limits<double>::infinity();
} // namespace

GroupLine::GroupLine(TimePlot* plot, const SeriesOptions& mean, std::vector<Member> members, BandKind band)
    : curves(members.size())
    , plot_(plot)
    , name_(mean.name)
    , members_(std::move(members))
    , band_(band)
    , colour_(mean.colour)
    , tails_(members_.size(), -1)
{
    const SeriesOptions edge { {}, SeriesStyle::Edge, colour_, -1, false };
    low_ = plot->addSeries(edge);
    high_ = plot->addSeries(edge);
    plot->setBand(low_, high_);
    auto options = mean;
    options.detail = [this](int index) { return detail(index); };
    options.columns = { tr("lowest"), tr("highest"), tr("standard deviation"), tr("runs") };
    options.figure = [this](int index, int column) { return figure(index, column); };
    mean_ = plot->addSeries(options);
}

void GroupLine::restart()
{
    for (auto& curve : curves) curve.clear();
    sizes_.clear();
    settled_ = 0;
    look_.reset();
    cut(0);
    clearTails();
}

bool GroupLine::draw(std::size_t rows, double settled)
{
    if (!look_) beginLook(settled);
    const bool more = drawMean(rows) || drawTail(rows);
    noteEnds();
    if (!more) look_.reset();
    return more;
}

void GroupLine::beginLook(double settled)
{
    // A run that had ended before the others, and was resumed.
    if (settled_ > 0 && walk_->missed(points_[settled_ - 1].x)) settled_ = 0;
    if (settled_ == 0) walk_.emplace(curves);
    look_.emplace(Look { *walk_, settled_, settled, -infinite, false });
    sizes_.resize(curves.size());
    for (std::size_t i = 0; i < curves.size(); ++i) {
        if (curves[i].size() > sizes_[i]) look_->grown = std::max(look_->grown, curves[i].back().x);
        sizes_[i] = curves[i].size();
    }
}

bool GroupLine::drawMean(std::size_t& rows)
{
    auto& look = *look_;
    while (!look.drawn) {
        auto ahead = look.walk;
        SpreadPoint point;
        if (!ahead.next(point)) {
            cut(look.place);
            look.drawn = true;
            break;
        }
        // Beyond what has grown all is as it was drawn in an earlier look.
        if (point.x > std::max(look.settled, look.grown) && look.place < points_.size()
            && points_[look.place].x == point.x) {
            look.asBefore = look.drawn = true;
            break;
        }
        if (rows == 0) return true;
        --rows;
        put(look.place++, point);
        look.walk = std::move(ahead);
        if (point.x > look.settled) continue;
        walk_ = look.walk;
        settled_ = look.place;
    }
    return false;
}

/// What one run has beyond the mean.
bool GroupLine::drawTail(std::size_t& rows)
{
    if (look_->asBefore) return false;
    const auto alone = look_->walk.alone();
    if (!alone) {
        clearTails();
        return false;
    }
    const auto [member, first] = *alone;
    const auto& curve = curves[member];
    // While the others come after it, its beginning may lie under their mean for a while: to draw a long one anew for
    // each of their points would never end.
    const bool near = first - std::min(first, tailFirst_) <= (look_->settled < infinite ? curve.size() / 64 : 0);
    if (tail_ != member || first < tailFirst_ || !near) {
        clearTails();
        tail_ = member;
        tailFirst_ = first;
        // From the point before, as the line of a chart goes from point to point.
        tailNext_ = first > 0 ? first - 1 : first;
    }
    if (tails_[member] < 0)
        tails_[member] =
            plot_->addSeries({ members_[member].name, SeriesStyle::Ghost, colour_, members_[member].owner, true });
    for (; tailNext_ < curve.size(); ++tailNext_, --rows) {
        if (rows == 0) return true;
        plot_->append(tails_[member], curve[tailNext_].x, curve[tailNext_].y);
    }
    return false;
}

void GroupLine::clearTails()
{
    for (const int series : tails_) plot_->clearPoints(series);
    tail_.reset();
}

/// In place of what was drawn there, if that can be, so that what lies beyond need not be drawn anew.
void GroupLine::put(std::size_t place, const SpreadPoint& point)
{
    const double nan = std::numeric_limits<double>::quiet_NaN();
    const std::array<std::pair<int, double>, 3> values { { { mean_, point.spread ? point.spread->mean : nan },
        { low_, point.spread ? lowerEdge(*point.spread, band_) : nan },
        { high_, point.spread ? upperEdge(*point.spread, band_) : nan } } };
    if (place < points_.size() && points_[place].x == point.x
        && std::all_of(values.begin(), values.end(),
            [&](const auto& value) { return plot_->replace(value.first, int(place), value.second); })) {
        points_[place] = point;
        return;
    }
    cut(place);
    for (const auto& [series, value] : values) plot_->append(series, point.x, value);
    points_.push_back(point);
}

void GroupLine::cut(std::size_t count)
{
    if (count >= points_.size()) return;
    points_.resize(count);
    for (const int series : { mean_, low_, high_ }) plot_->truncate(series, int(count));
}

/// A mean over fewer runs is another mean: what it jumps by there, nothing in the training did.
void GroupLine::noteEnds()
{
    ends_.clear();
    for (auto from = points_.begin(); from != points_.end();) {
        const auto to = std::partition_point(
            from, points_.end(), [from](const SpreadPoint& point) { return point.curves >= from->curves; });
        if (to != points_.end())
            ends_.append({ std::prev(to)->x, PlotMarker::Kind::Command,
                tr("%1: from here on %2 of its %3 runs go on")
                    .arg(name_)
                    .arg(to->curves)
                    .arg(qsizetype(members_.size())) });
        from = to;
    }
}

QString GroupLine::detail(int index) const
{
    if (index < 0 || std::size_t(index) >= points_.size()) return {};
    const auto& point = points_[std::size_t(index)];
    const auto kind = plot_->kind();
    QString range;
    if (point.spread && band_ == BandKind::Range)
        range = QStringLiteral(" (%1 \u2026 %2)")
                    .arg(valueText(kind, point.spread->least), valueText(kind, point.spread->most));
    else if (point.spread)
        range = QStringLiteral(" \u00B1 ") + valueText(kind, upperEdge(*point.spread, band_) - point.spread->mean);
    return range
        + (point.curves == members_.size() ? tr(", n = %1").arg(point.curves)
                                           : tr(", n = %1 of %2").arg(point.curves).arg(members_.size()));
}

double GroupLine::figure(int index, int column) const
{
    if (index < 0 || std::size_t(index) >= points_.size()) return std::numeric_limits<double>::quiet_NaN();
    const auto& point = points_[std::size_t(index)];
    if (column == 3) return double(point.curves);
    if (!point.spread) return std::numeric_limits<double>::quiet_NaN();
    return column == 0 ? point.spread->least : column == 1 ? point.spread->most : point.spread->deviation;
}

GroupCurves::GroupCurves(const QVector<RunSession*>& sessions, const std::vector<int>& owners, const Look& look,
    TimePlot* perplexity, TimePlot* loss, XAxis axis)
    : readers_(sessions.begin(), sessions.end())
{
    std::vector<GroupLine::Member> members;
    for (qsizetype i = 0; i < sessions.size(); ++i) members.push_back({ sessions[i]->name(), owners[std::size_t(i)] });
    SeriesOptions options;
    options.name = look.name;
    options.owner = look.owner;
    options.colour = [owner = look.owner](const Colours& c) { return c.run(owner); };
    options.style = SeriesStyle::Points;
    perplexity_ = std::make_unique<GroupLine>(perplexity, options, members, look.band);
    options.style = look.strong ? SeriesStyle::Bold : SeriesStyle::Line;
    loss_ = std::make_unique<GroupLine>(loss, options, members, look.band);
    restart(axis);
}

void GroupCurves::restart(XAxis axis)
{
    axis_ = axis;
    for (auto& reader : readers_) reader.restart(axis);
    for (auto* line : { perplexity_.get(), loss_.get() }) line->restart();
}

bool GroupCurves::shows(const RunSession* session) const
{
    return std::any_of(
        readers_.begin(), readers_.end(), [session](const RunReader& reader) { return reader.session() == session; });
}

double GroupCurves::settled(const GroupLine& line) const
{
    double settled = infinite;
    for (std::size_t i = 0; i < readers_.size(); ++i) {
        const auto* session = readers_[i].session();
        if (!session || !(session->active() || session->loading())) continue;
        settled = std::min(settled, line.curves[i].empty() ? -infinite : line.curves[i].back().x);
    }
    return settled;
}

bool GroupCurves::advance(std::size_t rows)
{
    if (std::any_of(readers_.begin(), readers_.end(), [](const RunReader& reader) { return reader.rewound(); }))
        restart(axis_);
    bool more = false;
    for (std::size_t i = 0; i < readers_.size(); ++i)
        more |= readers_[i].read(rows, loss_->curves[i], perplexity_->curves[i]);
    if (more) return true;
    more |= perplexity_->draw(rows, settled(*perplexity_));
    more |= loss_->draw(rows, settled(*loss_));
    return more;
}

} // namespace pha::ui
