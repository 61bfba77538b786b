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
    /// What lies before `settled` is as it will remain; of the rest what the curves have grown by is worked out anew.
    /// Draws at most `rows` places. True while there are more: what the curves gain meanwhile waits for the next look.
    bool draw(std::size_t rows, double settled);

    std::vector<Curve> curves; ///< of the members; they only grow
    /// Where a run ends before the others, and what is said of it there.
    const QVector<PlotMarker>& ends() const { return ends_; }

private:
    /// From the end of the settled points to the end of the mean, over several calls of draw().
    struct Look {
        SpreadWalk walk;
        std::size_t place; ///< of the next point
        double settled;
        double grown; ///< up to here curves have gained points since the look before
        bool drawn; ///< the mean is
        bool asBefore = false; ///< and what lies beyond is as it was
    };
    void beginLook(double settled);
    bool drawMean(std::size_t& rows);
    bool drawTail(std::size_t& rows);
    void clearTails();
    void put(std::size_t place, const SpreadPoint& point);
    void cut(std::size_t count);
    void noteEnds();
    QString detail(int index) const;
    double figure(int index, int column) const;

    TimePlot* plot_;
    QString name_;
    std::vector<Member> members_;
    BandKind band_;
    ColourRole colour_;
    int mean_ = -1, low_ = -1, high_ = -1; ///< their series
    std::vector<int> tails_; ///< series of what each run has beyond the mean; -1: none so far
    std::optional<std::size_t> tail_; ///< the run whose tail is drawn, from
    std::size_t tailFirst_ = 0; ///< this point on, up to
    std::size_t tailNext_ = 0; ///< this one
    std::vector<SpreadPoint> points_;
    std::size_t settled_ = 0; ///< of the points
    std::optional<SpreadWalk> walk_; ///< at the end of the settled points
    std::optional<Look> look_;
    std::vector<std::size_t> sizes_; ///< of the curves when the look began
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
