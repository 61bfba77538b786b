// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/qcustomplot_include.h"

#include <vector>

namespace pha::ui {

/// A graph that keeps every point and draws, in each pixel column, the first, smallest, largest and last value: a spike
/// of one point among a million stays visible, and the cost of a frame follows the width of the plot, not the length of
/// the run. Where all values of a column lie within a pixel, one point stands for them. A pyramid of minima and maxima
/// answers for blocks of 64, 4096, ... points. NaN is a gap. A line that goes up and down within its columns is drawn
/// as one stroke for each column of device pixels: ten times faster than its segments, and the same picture. The fill
/// down to another graph with its points at the same keys has two corners for each column at most.
class SampledGraph : public QCPGraph {
public:
    SampledGraph(QCPAxis* keyAxis, QCPAxis* valueAxis);

    int count() const { return mDataContainer->size(); }
    double key(int index) const { return mDataContainer->at(index)->key; }
    double value(int index) const { return mDataContainer->at(index)->value; }
    void append(double key, double value); ///< keys never decrease; infinite values become gaps
    void replace(int index, double value);
    void truncate(int count); ///< keeps the first `count` points; keys increase from there on
    void clearPoints();

    /// First point at or after `key`; count() if there is none.
    int lowerBound(double key) const;
    /// Smallest and largest finite value of the points [from, to); false if there is none.
    bool extremes(int from, int to, double& low, double& high) const;

protected:
    QRect clipRect() const override; ///< marks at the edge are drawn whole
    void drawFill(QCPPainter* painter, QVector<QPointF>* lines) const override;
    void drawLinePlot(QCPPainter* painter, const QVector<QPointF>& lines) const override;
    void getOptimizedLineData(QVector<QCPGraphData>* lineData, const QCPGraphDataContainer::const_iterator& begin,
        const QCPGraphDataContainer::const_iterator& end) const override;

private:
    struct Extremes {
        double low, high; ///< low > high: no finite value
        void add(double value)
        {
            if (value < low) low = value;
            if (value > high) high = value;
        }
    };
    static Extremes nothing();
    void addToPyramid(int index, double value);
    void countAnew(std::size_t level, std::size_t place);
    QVector<QPolygonF> bandPieces(const SampledGraph& lower) const;
    int seek(int from, int to, double key, int guess) const;
    void column(int from, int to, QVector<QCPGraphData>* out) const;
    bool ragged(const QVector<QPointF>& lines) const;
    void drawJoined(QCPPainter* painter, const QVector<QPointF>& lines) const;
    void drawColumns(QCPPainter* painter, const QVector<QPointF>& lines) const;

    std::vector<std::vector<Extremes>> levels_; ///< levels_[k][b]: points [b * 64^(k+1), (b+1) * 64^(k+1))
};

} // namespace pha::ui
