// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/plot_items.h"

#include <QFontMetricsF>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

namespace pha::ui {

namespace {

const Colours& colours() { return Theme::instance().colours(); }

/// Whole device pixels plus a half: a one-pixel line stays one pixel wide and crisp.
double crisp(double pixel) { return std::floor(pixel) + 0.5; }

QPolygonF diamond(const QPointF& centre, double radius)
{
    return QPolygonF({ centre + QPointF(0, -radius), centre + QPointF(radius, 0), centre + QPointF(0, radius),
        centre + QPointF(-radius, 0) });
}

} // namespace

EdgeLabelItem::EdgeLabelItem(QCustomPlot* plot)
    : QCPAbstractItem(plot)
{
    setClipToAxisRect(false);
}

QVector<double> EdgeLabelItem::spread(const QVector<double>& wanted, double height, double top, double bottom)
{
    // Labels that would touch form a block around the mean of their wishes; blocks that then touch join. One pass,
    // since a joined block can only meet the one before it.
    struct Block {
        double sum;
        int count;
    };
    QVector<Block> blocks;
    const auto centre = [&](const Block& b) {
        const double half = b.count * height / 2;
        return std::max(top + half, std::min(bottom - half, b.sum / b.count));
    };
    for (const double y : wanted) {
        blocks.append({ y, 1 });
        while (blocks.size() > 1) {
            const auto& a = blocks[blocks.size() - 2];
            const auto& b = blocks.last();
            if (centre(b) - centre(a) >= (a.count + b.count) * height / 2 - 1e-9) break;
            const Block joined { a.sum + b.sum, a.count + b.count };
            blocks.removeLast();
            blocks.last() = joined;
        }
    }
    QVector<double> tops;
    for (const auto& b : blocks)
        for (int i = 0; i < b.count; ++i) tops << centre(b) + (i - b.count / 2.) * height;
    return tops;
}

void EdgeLabelItem::draw(QCPPainter* painter)
{
    const auto* rect = mParentPlot->axisRect();
    const auto* axis = mParentPlot->yAxis;
    struct Placed {
        const EdgeLabel* label;
        double y;
    };
    QVector<Placed> placed;
    for (const auto& label : labels_) {
        if (!std::isfinite(label.value) || (axis->scaleType() == QCPAxis::stLogarithmic && label.value <= 0)) continue;
        const double y = axis->coordToPixel(label.value);
        if (y < rect->top() - 1 || y > rect->bottom() + 1) continue;
        placed.append({ &label, y });
    }
    std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) { return a.y < b.y; });
    painter->setFont(font_);
    const QFontMetricsF metrics(font_);
    QVector<double> wanted;
    for (const auto& p : placed) wanted << p.y;
    const auto tops = spread(wanted, metrics.height(), mParentPlot->viewport().top() + 2, rect->bottom() + 2.);
    const double left = rect->right() + 14, room = mParentPlot->viewport().right() - left - 2;
    for (int i = 0; i < placed.size(); ++i) {
        const auto& label = *placed[i].label;
        const auto colour = label.colour(colours());
        const double middle = tops[i] + metrics.height() / 2;
        if (label.line) {
            painter->setAntialiasing(false);
            painter->setPen(QPen(colour, 1, Qt::DashLine));
            painter->drawLine(QLineF(rect->left(), crisp(placed[i].y), rect->right(), crisp(placed[i].y)));
        }
        painter->setAntialiasing(true);
        painter->setPen(QPen(blend(colour, colours().plot, 0.7), 1));
        painter->drawLine(QLineF(rect->right() + 2, placed[i].y, left - 4, middle));
        auto font = font_;
        font.setBold(label.bold);
        painter->setFont(font);
        painter->setPen(QPen(label.line ? colours().muted : colour));
        painter->drawText(QRectF(left, tops[i], room, metrics.height()), Qt::AlignVCenter | Qt::AlignLeft,
            QFontMetricsF(font).elidedText(label.text, Qt::ElideRight, room));
    }
    if (room < metrics.horizontalAdvance(axisName_)) return;
    painter->setFont(font_);
    painter->setPen(QPen(colours().muted));
    painter->drawText(
        QRectF(left, rect->bottom() + 6, room - 6, metrics.height()), Qt::AlignVCenter | Qt::AlignRight, axisName_);
}

MarkerItem::MarkerItem(QCustomPlot* plot)
    : QCPAbstractItem(plot)
{
    setClipToAxisRect(false); // diamonds sit on the axis line, half outside
}

void MarkerItem::draw(QCPPainter* painter)
{
    const auto* rect = mParentPlot->axisRect();
    const auto& c = colours();
    const auto inside = [&](double x) { return x >= rect->left() - 0.5 && x <= rect->right() + 0.5; };
    painter->setAntialiasing(true);
    // One for each kind in a column of pixels: the others would lie under it. They come in order.
    constexpr int nowhere = std::numeric_limits<int>::min();
    std::map<PlotMarker::Kind, int> last;
    for (const auto& marker : markers_) {
        const double x = mParentPlot->xAxis->coordToPixel(marker.x);
        if (!inside(x)) continue;
        const int column = int(std::floor(x));
        if (std::exchange(last.try_emplace(marker.kind, nowhere).first->second, column) == column) continue;
        const bool checkpoint =
            marker.kind == PlotMarker::Kind::Checkpoint || marker.kind == PlotMarker::Kind::BestCheckpoint;
        if (checkpoint) {
            const bool best = marker.kind == PlotMarker::Kind::BestCheckpoint;
            painter->setPen(QPen(best ? c.good : c.marker, 1.2));
            painter->setBrush(best ? c.good : c.plot);
            painter->drawPolygon(diamond(QPointF(x, rect->bottom()), best ? 5 : 4));
            continue;
        }
        const bool trouble = marker.kind == PlotMarker::Kind::Trouble;
        const auto colour = trouble ? c.error : c.marker;
        painter->setAntialiasing(false);
        painter->setPen(QPen(blend(colour, c.plot, trouble ? 1 : 0.75), 1,
            marker.kind == PlotMarker::Kind::Resumed ? Qt::DashLine : Qt::DotLine));
        painter->drawLine(QLineF(crisp(x), rect->top(), crisp(x), rect->bottom()));
        painter->setAntialiasing(true);
        painter->setPen(Qt::NoPen);
        painter->setBrush(colour);
        painter->drawPolygon(QPolygonF(
            { QPointF(x - 4, rect->top() - 1), QPointF(x + 4, rect->top() - 1), QPointF(x, rect->top() + 5) }));
    }
    painter->setPen(QPen(c.plot, 1));
    painter->setBrush(c.error);
    QPoint lastBreak(nowhere, nowhere);
    for (const auto& point : breaks_) {
        const double x = mParentPlot->xAxis->coordToPixel(point.x());
        if (!inside(x)) continue;
        double y = rect->top() + 8;
        if (std::isfinite(point.y()))
            y = std::clamp(mParentPlot->yAxis->coordToPixel(point.y()), rect->top() + 8., rect->bottom() + 0.);
        const QPoint place(int(std::floor(x)), int(std::floor(y)));
        if (std::exchange(lastBreak, place) == place) continue;
        painter->drawPolygon(QPolygonF({ QPointF(x - 5, y - 8), QPointF(x + 5, y - 8), QPointF(x, y) }));
    }
}

CursorItem::CursorItem(QCustomPlot* plot)
    : QCPAbstractItem(plot)
{
}

void CursorItem::show(double x, QVector<CursorDot> dots)
{
    shown_ = true;
    x_ = x;
    dots_ = std::move(dots);
}

void CursorItem::draw(QCPPainter* painter)
{
    if (!shown_) return;
    const auto* rect = mParentPlot->axisRect();
    const double x = mParentPlot->xAxis->coordToPixel(x_);
    if (x < rect->left() - 1 || x > rect->right() + 1) return;
    painter->setAntialiasing(false);
    painter->setPen(QPen(colours().muted, 1));
    painter->drawLine(QLineF(crisp(x), rect->top(), crisp(x), rect->bottom()));
    painter->setAntialiasing(true);
    for (const auto& dot : dots_) {
        if (!std::isfinite(dot.value)) continue;
        painter->setPen(QPen(colours().plot, 1.5));
        painter->setBrush(dot.colour);
        painter->drawEllipse(
            QPointF(mParentPlot->xAxis->coordToPixel(dot.x), mParentPlot->yAxis->coordToPixel(dot.value)), 4, 4);
    }
}

} // namespace pha::ui
