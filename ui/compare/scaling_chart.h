// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/scaling.h"
#include "ui/charts/chart_frame.h"
#include "ui/charts/readout_strip.h"

class QCPItemStraightLine;

namespace pha::ui {

/// Loss against training compute, a dot a run and a curve a group, on to a hundred times what was measured. Arrow keys
/// or the mouse move a line, at which the curves are read. GUI thread only.
class ScalingChart : public ChartFrame {
    Q_OBJECT

public:
    explicit ScalingChart(QWidget* parent);
    void setStudy(const ScalingStudy& study); ///< copies what it needs; cheap if nothing has changed
    QString summary() const; ///< a sentence on each curve
    QVector<ReadoutStrip::Item> readingAt(double flops) const;

    QVector<ChartSheet> sheets() const override;
    void redraw() override;

Q_SIGNALS:
    void readingChanged(const QVector<pha::ui::ReadoutStrip::Item>& items); ///< empty: nothing is pointed at

protected:
    void applyTheme() override;
    bool event(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    struct Dot {
        QString run;
        double parameters, tokens, flops, loss;
        bool beaten;
        bool operator==(const Dot&) const = default;
    };
    struct Group {
        QString name;
        std::vector<Dot> dots;
        std::optional<ScalingLaw> law;
        QVector<double> places, low, high; ///< FLOPs, and the losses between which the curve may bend
    };
    void rebuild();
    void addGroup(const Group& group, const QColor& colour);
    void setCursor(double flops); ///< 0: none
    double measured(bool most) const; ///< FLOPs, of all runs

    std::vector<Group> groups_;
    bool perByte_ = false;
    double cursor_ = 0;
    QCPItemStraightLine* line_ = nullptr;
};

} // namespace pha::ui
