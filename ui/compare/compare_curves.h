// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/run_math.h"
#include "ui/charts/time_plot.h"
#include "ui/run_session.h"

#include <QPointer>

namespace pha::ui {

/// One run's two curves among those of others: the perplexity of its evaluations and its smoothed training loss. Adds
/// only what is new; starts over when the history was cleared. GUI thread only.
class CompareCurves {
public:
    CompareCurves(RunSession* session, int owner, bool strong, TimePlot* perplexity, TimePlot* loss, XAxis axis);
    void restart(XAxis axis);
    /// Takes in at most `rows` updates. True while there are more.
    bool advance(std::size_t rows);
    RunSession* session() const { return session_; }

    static constexpr double smoothing = 0.9;

private:
    QPointer<RunSession> session_;
    TimePlot *perplexity_, *loss_;
    int valid_ = -1, train_ = -1; ///< their series
    XAxis axis_ = XAxis::Step;
    std::int64_t generation_ = 0;
    std::size_t steps_ = 0, evals_ = 0;
    Smoother smoother_;
};

} // namespace pha::ui
