// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/qcustomplot_include.h"

namespace pha::ui {

class WeightRidges;

/// All ridges with their titles and scales.
class RidgeItem : public QCPAbstractItem {
public:
    RidgeItem(QCustomPlot* plot, const WeightRidges* chart);
    double selectTest(const QPointF&, bool, QVariant*) const override { return -1; }

protected:
    void draw(QCPPainter* painter) override;

private:
    void drawPanel(QCPPainter& painter, int panel) const;
    void drawScale(QCPPainter& painter, int panel) const;
    void drawSteps(QCPPainter& painter) const;

    const WeightRidges* chart_;
};

/// The ridge under the cursor and the place on it; alone on a buffered layer.
class RidgeCursor : public QCPAbstractItem {
public:
    RidgeCursor(QCustomPlot* plot, const WeightRidges* chart);
    double selectTest(const QPointF&, bool, QVariant*) const override { return -1; }

protected:
    void draw(QCPPainter* painter) override;

private:
    const WeightRidges* chart_;
};

} // namespace pha::ui
