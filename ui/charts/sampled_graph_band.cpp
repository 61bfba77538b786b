// SPDX-License-Identifier: GPL-3.0-or-later
// The area between two graphs with their points at the same keys.
#include "ui/charts/sampled_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pha::ui {

namespace {

/// Two edges that grow from left to right and are closed to polygons where there is a gap.
class BandOutline {
public:
    void add(double x, double top, double bottom)
    {
        upper_.append(QPointF(x, top));
        lower_.append(QPointF(x, bottom));
    }
    void close()
    {
        std::reverse(lower_.begin(), lower_.end());
        if (upper_.size() > 1) pieces_.append(QPolygonF(upper_ + lower_));
        upper_.clear();
        lower_.clear();
    }
    const QVector<QPolygonF>& pieces() const { return pieces_; }

private:
    QVector<QPolygonF> pieces_;
    QVector<QPointF> upper_, lower_;
};

} // namespace

void SampledGraph::drawFill(QCPPainter* painter, QVector<QPointF>* lines) const
{
    const auto* lower = dynamic_cast<const SampledGraph*>(mChannelFillGraph.data());
    if (!lower) return QCPGraph::drawFill(painter, lines);
    applyFillAntialiasingHint(painter);
    painter->setPen(Qt::NoPen);
    painter->setBrush(mBrush);
    for (const auto& piece : bandPieces(*lower)) painter->drawPolygon(piece);
}

QVector<QPolygonF> SampledGraph::bandPieces(const SampledGraph& lower) const
{
    const auto *x = mKeyAxis.data(), *y = mValueAxis.data();
    const int n = std::min(count(), lower.count());
    // One point beyond either edge of the picture: the area leaves it towards them.
    int from = std::max(0, std::min(n, lowerBound(x->range().lower)) - 1);
    const int to = std::min(n, lowerBound(x->range().upper) + 1);
    BandOutline outline;
    const auto add = [&](double key, double top, double bottom) {
        if (!std::isfinite(top) || !std::isfinite(bottom)) return outline.close();
        outline.add(x->coordToPixel(key), y->coordToPixel(top), y->coordToPixel(bottom));
    };
    const double pixel = 1 / mParentPlot->bufferDevicePixelRatio(), left = x->axisRect()->left();
    const int columns = std::max(1, int(x->axisRect()->width() / pixel));
    const bool dense = to - from > 3 * columns;
    int guess = (to - from) / columns + 1;
    while (from < to) {
        int next = from + 1;
        if (dense) {
            const double column = std::floor((x->coordToPixel(key(from)) - left) / pixel);
            next = std::max(next, seek(from, to, x->pixelToCoord(left + (column + 1) * pixel), guess));
            guess = next - from + 1;
        }
        // All that the area touches in this column, as the edges themselves are drawn.
        double top = value(from), bottom = lower.value(from), inner = 0;
        if (next > from + 1 && (!extremes(from, next, inner, top) || !lower.extremes(from, next, bottom, inner)))
            top = std::numeric_limits<double>::quiet_NaN();
        add((key(from) + key(next - 1)) / 2, top, bottom);
        from = next;
    }
    outline.close();
    return outline.pieces();
}

} // namespace pha::ui
