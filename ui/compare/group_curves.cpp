// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/compare/group_curves.h"

#include "ui/format.h"

#include <algorithm>
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
    settled_ = 0;
}

bool GroupLine::draw(std::size_t rows, double settled)
{
    // A run that had ended before the others, and was resumed.
    if (settled_ > 0 && walk_->missed(points_[settled_ - 1].x)) settled_ = 0;
    if (settled_ == 0) {
        walk_.emplace(curves);
        settledEnds_ = 0;
    }
    points_.resize(settled_);
    ends_.resize(qsizetype(settledEnds_));
    for (const int series : { mean_, low_, high_ }) plot_->truncate(series, int(settled_));
    for (const int series : tails_) plot_->clearPoints(series);
    for (;;) {
        auto ahead = *walk_;
        SpreadPoint point;
        if (!ahead.next(point) || point.x > settled) break;
        if (rows-- == 0) return true;
        append(point);
        walk_ = ahead;
        settled_ = points_.size();
        settledEnds_ = std::size_t(ends_.size());
    }
    drawRest();
    return false;
}

void GroupLine::drawRest()
{
    auto ahead = *walk_;
    for (SpreadPoint point; ahead.next(point);) append(point);
    const auto alone = ahead.alone();
    if (!alone) return;
    const auto [member, first] = *alone;
    if (tails_[member] < 0)
        tails_[member] =
            plot_->addSeries({ members_[member].name, SeriesStyle::Ghost, colour_, members_[member].owner, true });
    const auto& curve = curves[member];
    // From the point before, as the line of a chart goes from point to point.
    for (auto i = first > 0 ? first - 1 : first; i < curve.size(); ++i)
        plot_->append(tails_[member], curve[i].x, curve[i].y);
}

void GroupLine::append(const SpreadPoint& point)
{
    const double nan = std::numeric_limits<double>::quiet_NaN();
    noteEnd(point);
    plot_->append(mean_, point.x, point.spread ? point.spread->mean : nan);
    plot_->append(low_, point.x, point.spread ? lowerEdge(*point.spread, band_) : nan);
    plot_->append(high_, point.x, point.spread ? upperEdge(*point.spread, band_) : nan);
    points_.push_back(point);
}

/// A mean over fewer runs is another mean: what it jumps by there, nothing in the training did.
void GroupLine::noteEnd(const SpreadPoint& point)
{
    if (points_.empty() || points_.back().curves <= point.curves) return;
    ends_.append({ points_.back().x, PlotMarker::Kind::Command,
        tr("%1: from here on %2 of its %3 runs go on").arg(name_).arg(point.curves).arg(qsizetype(members_.size())) });
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
