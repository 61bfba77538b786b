// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QPointer>
#include <QVector>

namespace pha::ui {

class TimePlot;

/// Charts that share one x axis: the cursor of one is the cursor of all, a zoom along x is a zoom of all.
class PlotLink : public QObject {
    Q_OBJECT

public:
    explicit PlotLink(QObject* parent);
    void add(TimePlot* plot);
    void fitAndFollow();
    bool following() const;
    const QVector<QPointer<TimePlot>>& plots() const { return plots_; }

Q_SIGNALS:
    void cursorMoved(pha::ui::TimePlot* plot, double x); ///< `plot` is the one under the pointer or with the focus
    void cursorLeft();
    void followingChanged();

private:
    bool bounds(double& from, double& to) const;
    QVector<QPointer<TimePlot>> plots_;
};

} // namespace pha::ui
