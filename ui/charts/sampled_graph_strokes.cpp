// SPDX-License-Identifier: GPL-3.0-or-later
// How the points of a graph become strokes: a joined line, or one stroke for each column of pixels.
#include "ui/charts/sampled_graph.h"

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

/// The first point of a run, or one between two gaps: a dot as wide as its line could hardly be seen.
void drawDot(QCPPainter* painter, const QPointF& at)
{
    painter->setBrush(painter->pen().color());
    painter->drawEllipse(at, 2.2, 2.2);
    painter->setBrush(Qt::NoBrush);
}

} // namespace

void SampledGraph::drawLinePlot(QCPPainter* painter, const QVector<QPointF>& lines) const
{
    if (mPen.style() == Qt::NoPen) return; // the edge of a band
    applyDefaultAntialiasingHint(painter);
    painter->setBrush(Qt::NoBrush);
    if (!painter->modes().testFlag(QCPPainter::pmVectorized) && ragged(lines)) {
        drawColumns(painter, lines);
    } else {
        drawJoined(painter, lines);
    }
}

bool SampledGraph::ragged(const QVector<QPointF>& lines) const
{
    const double width = mKeyAxis->axisRect()->width();
    if (lines.size() < width / 2) return false;
    double travel = 0; // pixels up and down
    for (int i = 1; i < lines.size(); ++i)
        if (const double step = std::abs(lines[i].y() - lines[i - 1].y()); step > 0) travel += step; // NaN is not
    return travel > 2 * width;
}

void SampledGraph::drawJoined(QCPPainter* painter, const QVector<QPointF>& lines) const
{
    auto joined = mPen;
    joined.setJoinStyle(Qt::RoundJoin);
    joined.setCapStyle(Qt::RoundCap);
    painter->setPen(joined);
    QVector<QPointF> piece;
    piece.reserve(lines.size());
    const auto stroke = [&] {
        if (piece.size() == 1) drawDot(painter, piece.first());
        if (piece.size() > 1) painter->drawPolyline(piece.constData(), int(piece.size()));
        piece.clear();
    };
    for (int i = 0; i < lines.size(); ++i) {
        const auto& point = lines[i];
        if (!std::isfinite(point.x()) || !std::isfinite(point.y())) {
            stroke();
            continue;
        }
        // A point within a pixel of the last one changes nothing that can be seen, but for the end of the line.
        const bool end = i + 1 == lines.size() || !std::isfinite(lines[i + 1].y());
        if (end || piece.isEmpty() || std::abs(point.x() - piece.last().x()) >= 0.7
            || std::abs(point.y() - piece.last().y()) >= 0.7)
            piece.append(point);
    }
    stroke();
}

void SampledGraph::drawColumns(QCPPainter* painter, const QVector<QPointF>& lines) const
{
    const auto* rect = mKeyAxis->axisRect();
    const double ratio = mParentPlot->bufferDevicePixelRatio(), half = mPen.widthF() / 2;
    const double shift = painter->antialiasing() ? 0.5 : 0; // QCPPainter moves what it smooths by half a pixel
    const auto columnOf = [&](double x) { return std::floor((x + shift) * ratio); };
    const double first = columnOf(rect->left()) - 1, last = columnOf(rect->right()) + 1;
    const double top = rect->top() - 9., bottom = rect->bottom() + 9.; // strokes end a little outside of the picture
    QVector<QLineF> strokes;
    strokes.reserve(int(last - first) + 2);
    double column = 0, low = 0, high = 0;
    bool open = false;
    const auto add = [&](double y) {
        y = std::clamp(y, top, bottom);
        low = std::min(low, y);
        high = std::max(high, y);
    };
    const auto begin = [&](double at, double y) {
        column = at;
        low = high = std::clamp(y, top, bottom);
        open = true;
    };
    const auto close = [&] {
        const double x = (column + 0.5) / ratio - shift;
        if (open && column >= first && column <= last) strokes.append(QLineF(x, low - half, x, high + half));
        open = false;
    };
    for (int i = 0; i < lines.size(); ++i) {
        const auto& to = lines[i];
        if (!std::isfinite(to.x()) || !std::isfinite(to.y())) {
            close();
            continue;
        }
        const double end = columnOf(to.x());
        if (!open) {
            begin(end, to.y());
            continue;
        }
        if (end > column) { // the line crosses columns: each gets the part of it that lies inside
            const auto& from = lines[i - 1];
            const double slope = (to.y() - from.y()) / (to.x() - from.x());
            for (double next = std::max(column + 1, first); next <= std::min(end, last + 1); ++next) {
                const double y = from.y() + slope * (next / ratio - shift - from.x());
                add(y);
                close();
                begin(next, y);
            }
            if (column < end) begin(end, to.y()); // beyond the picture
        }
        add(to.y());
    }
    close();
    QPen pen(mPen.color(), 1); // one device pixel: the only width that Qt draws quickly
    pen.setCosmetic(true);
    pen.setCapStyle(Qt::FlatCap);
    painter->setPen(pen);
    painter->drawLines(strokes);
}

} // namespace pha::ui
