// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/compare/compare_curves.h"

#include <QCoreApplication>

namespace pha::ui {

/// The runs of a group in one chart: their mean with a band. It goes on as long as two of them do; what a single one
/// has beyond that is its own, and drawn pale. Owned by GroupCurves; the chart asks it for what stands under a cursor.
class GroupLine {
    Q_DECLARE_TR_FUNCTIONS(pha::ui::GroupLine)
public:
    struct Member {
        QString name;
        int owner = -1;
    };
    GroupLine(TimePlot* plot, const SeriesOptions& mean, std::vector<Member> members, BandKind band);
    void restart();
    /// What lies before `settled` is as it will remain, the rest is worked out anew each time. At most `rows` places of
    /// the former. True while there are more.
    bool draw(std::size_t rows, double settled);

    std::vector<Curve> curves; ///< of the members; they only grow
    /// Where a run ends before the others, and what is said of it there.
    const QVector<PlotMarker>& ends() const { return ends_; }

private:
    void append(const SpreadPoint& point);
    void drawRest();
    void noteEnd(const SpreadPoint& point);
    QString detail(int index) const;
    double figure(int index, int column) const;

    TimePlot* plot_;
    QString name_;
    std::vector<Member> members_;
    BandKind band_;
    ColourRole colour_;
    int mean_ = -1, low_ = -1, high_ = -1; ///< their series
    std::vector<int> tails_; ///< series of what each run has beyond the mean; -1: none so far
    std::vector<SpreadPoint> points_;
    std::size_t settled_ = 0; ///< of the points
    std::optional<SpreadWalk> walk_; ///< at the end of the settled points
    std::size_t settledEnds_ = 0;
    QVector<PlotMarker> ends_;
};

/// The curves of a group of runs that differ in the seed.
class GroupCurves : public ComparedCurves {
public:
    struct Look {
        QString name;
        int owner = 0; ///< its first run's number, whose colour it has
        bool strong = false;
        BandKind band = BandKind::Range;
    };
    GroupCurves(const QVector<RunSession*>& sessions, const std::vector<int>& owners, const Look& look,
        TimePlot* perplexity, TimePlot* loss, XAxis axis);
    void restart(XAxis axis) override;
    bool advance(std::size_t rows) override;
    bool shows(const RunSession* session) const override;
    const GroupLine& perplexity() const { return *perplexity_; }
    const GroupLine& loss() const { return *loss_; }

private:
    /// Up to where all runs have said what they will say: one that still reports may add what lies beyond its last
    /// point, one that has ended adds nothing.
    double settled(const GroupLine& line) const;

    std::vector<RunReader> readers_;
    std::unique_ptr<GroupLine> perplexity_, loss_;
    XAxis axis_;
};

} // namespace pha::ui
