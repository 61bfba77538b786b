// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/run_math.h"
#include "ui/charts/time_plot.h"
#include "ui/compare/curve_spread.h"
#include "ui/session/run_session.h"

#include <QPointer>

namespace pha::ui {

/// What is drawn of one run, or of the runs of a group, in the two charts of the comparison. Adds only what is new;
/// starts over when a history was cleared. GUI thread only.
class ComparedCurves {
public:
    virtual ~ComparedCurves() = default;
    virtual void restart(XAxis axis) = 0;
    /// Takes in at most `rows` updates of each run. True while there are more.
    virtual bool advance(std::size_t rows) = 0;
    virtual bool shows(const RunSession* session) const = 0;
};

/// One run's points: the perplexity of its evaluations and its smoothed training loss.
class RunReader {
public:
    explicit RunReader(RunSession* session);
    void restart(XAxis axis);
    bool rewound() const; ///< the history was cleared, or that of a recording went back
    /// Appends what is new, at most `rows` updates. True while there are more.
    bool read(std::size_t rows, Curve& loss, Curve& perplexity);
    RunSession* session() const { return session_; }

    static constexpr double smoothing = 0.9;

private:
    QPointer<RunSession> session_;
    XAxis axis_ = XAxis::Step;
    std::int64_t generation_ = 0;
    std::size_t steps_ = 0, evals_ = 0;
    Smoother smoother_;
};

/// One run's two curves among those of others.
class CompareCurves : public ComparedCurves {
public:
    CompareCurves(RunSession* session, int owner, bool strong, TimePlot* perplexity, TimePlot* loss, XAxis axis);
    void restart(XAxis axis) override;
    bool advance(std::size_t rows) override;
    bool shows(const RunSession* session) const override { return reader_.session() == session; }

private:
    RunReader reader_;
    TimePlot *perplexity_, *loss_;
    int valid_ = -1, train_ = -1; ///< their series
    XAxis axis_;
};

} // namespace pha::ui
