// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/plot_marks.h"
#include "ui/charts/qcustomplot_include.h"

namespace pha::ui {

/// What the cursor shows of one curve.
struct CursorDot {
    double x = 0, value = 0;
    QColor colour;
};

/// Reference lines and the labels in the right margin, pushed apart where they would overlap.
class EdgeLabelItem : public QCPAbstractItem {
public:
    explicit EdgeLabelItem(QCustomPlot* plot);
    void set(QVector<EdgeLabel> labels) { labels_ = std::move(labels); }
    void setFont(const QFont& font) { font_ = font; }
    void setAxisName(const QString& name)
    {
        axisName_ = name;
    } ///< written at the end of the x axis, where there is room
    const QVector<EdgeLabel>& labels() const { return labels_; }
    double selectTest(const QPointF&, bool, QVariant*) const override { return -1; }
    /// Top edges for boxes of one `height` that want their centres at `wanted` (sorted): order kept, no overlap, inside
    /// [top, bottom] as far as there is room, each moved as little as that allows.
    static QVector<double> spread(const QVector<double>& wanted, double height, double top, double bottom);

protected:
    void draw(QCPPainter* painter) override;

private:
    QVector<EdgeLabel> labels_;
    QFont font_;
    QString axisName_;
};

/// Checkpoints on the x axis, commands as thin upright lines, values that were not finite as triangles.
class MarkerItem : public QCPAbstractItem {
public:
    explicit MarkerItem(QCustomPlot* plot);
    void set(QVector<PlotMarker> markers) { markers_ = std::move(markers); }
    const QVector<PlotMarker>& markers() const { return markers_; }
    void setBreaks(QVector<QPointF> breaks) { breaks_ = std::move(breaks); } ///< y: the last finite value, or NaN
    double selectTest(const QPointF&, bool, QVariant*) const override { return -1; }

protected:
    void draw(QCPPainter* painter) override;

private:
    QVector<PlotMarker> markers_;
    QVector<QPointF> breaks_;
};

/// The crosshair. Lives alone on a buffered layer, so that moving it repaints no curve.
class CursorItem : public QCPAbstractItem {
public:
    explicit CursorItem(QCustomPlot* plot);
    void show(double x, QVector<CursorDot> dots);
    void hide() { shown_ = false; }
    double selectTest(const QPointF&, bool, QVariant*) const override { return -1; }

protected:
    void draw(QCPPainter* painter) override;

private:
    bool shown_ = false;
    double x_ = 0;
    QVector<CursorDot> dots_;
};

} // namespace pha::ui
