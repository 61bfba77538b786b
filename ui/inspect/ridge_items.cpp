// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/ridge_items.h"

#include "ui/format.h"
#include "ui/inspect/look_figures.h"
#include "ui/inspect/weight_ridges.h"
#include "ui/look/theme.h"

#include <algorithm>

namespace pha::ui {

RidgeItem::RidgeItem(QCustomPlot* plot, const WeightRidges* chart)
    : QCPAbstractItem(plot)
    , chart_(chart)
{
    setClipToAxisRect(false);
}

void RidgeItem::draw(QCPPainter* painter)
{
    if (chart_->panels().empty()) return;
    painter->setFont(chart_->plot()->xAxis->tickLabelFont());
    for (int p = 0; p < int(chart_->panels().size()); ++p) {
        drawScale(*painter, p);
        drawPanel(*painter, p);
    }
    drawSteps(*painter);
}

/// From the back to the front, each hiding what is behind it.
void RidgeItem::drawPanel(QCPPainter& painter, int index) const
{
    const auto& c = Theme::instance().colours();
    const auto hue = partColour(chart_->panels()[std::size_t(index)].part);
    const auto shown = chart_->shownRidges(index);
    painter.setAntialiasing(true);
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const double age = shown.size() > 1 ? double(i) / double(shown.size() - 1) : 1; // 1: the newest
        const auto line = chart_->outline(index, shown[i]);
        painter.setPen(Qt::NoPen);
        painter.setBrush(blend(hue, c.plot, 0.08 + 0.34 * age));
        painter.drawPolygon(line);
        painter.setPen(QPen(blend(hue, c.plot, 0.45 + 0.55 * age), 1));
        painter.drawPolyline(line);
    }
}

void RidgeItem::drawScale(QCPPainter& painter, int index) const
{
    const auto& c = Theme::instance().colours();
    const auto& panel = chart_->panels()[std::size_t(index)];
    const auto rect = chart_->panelRect(index);
    const auto metrics = painter.fontMetrics();
    painter.setAntialiasing(false);
    painter.setPen(QPen(c.grid, 1));
    painter.drawLine(QPointF(rect.center().x(), rect.top()), QPointF(rect.center().x(), rect.bottom() + 3));
    const double line = metrics.lineSpacing();
    const auto put = [&](double top, Qt::Alignment where, const QColor& colour, const QString& text) {
        painter.setPen(colour);
        const QRectF box(rect.left(), top, rect.width(), line);
        painter.drawText(
            box, int(where | Qt::AlignVCenter), metrics.elidedText(text, Qt::ElideMiddle, int(box.width())));
    };
    put(rect.top() - 4 * line - 6, Qt::AlignHCenter, c.text, panel.title);
    put(rect.top() - 3 * line - 6, Qt::AlignHCenter, c.muted, panel.rms);
    put(rect.top() - 2 * line - 6, Qt::AlignHCenter, c.muted, panel.moved);
    put(rect.top() - line - 6, Qt::AlignHCenter, c.muted, panel.rank);
    const auto end = formatNumber(chart_->limit(), 2);
    put(rect.bottom() + 4, Qt::AlignHCenter, c.muted, QStringLiteral("0"));
    put(rect.bottom() + 4, Qt::AlignLeft, c.muted, QStringLiteral("\u2212") + end);
    put(rect.bottom() + 4, Qt::AlignRight, c.muted, end);
}

/// Steps at the left, as many as have room.
void RidgeItem::drawSteps(QCPPainter& painter) const
{
    const auto& ridges = chart_->panels().front().ridges;
    const auto metrics = painter.fontMetrics();
    painter.setPen(Theme::instance().colours().muted);
    auto shown = chart_->shownRidges(0);
    std::reverse(shown.begin(), shown.end()); // the newest has a label whatever room there is
    double free = 1e9; // top of the last label
    for (const int ridge : shown) {
        const double y = chart_->baseline(0, ridge);
        if (y > free) continue;
        free = y - metrics.lineSpacing();
        const double height = metrics.lineSpacing();
        painter.drawText(QRectF(2, y - height * 0.7, chart_->panelRect(0).left() - 8, height),
            int(Qt::AlignRight | Qt::AlignVCenter), formatCount(ridges[std::size_t(ridge)].step));
    }
}

RidgeCursor::RidgeCursor(QCustomPlot* plot, const WeightRidges* chart)
    : QCPAbstractItem(plot)
    , chart_(chart)
{
    setClipToAxisRect(false);
}

void RidgeCursor::draw(QCPPainter* painter)
{
    const auto& at = chart_->cursor_;
    if (at.panel < 0 || at.panel >= int(chart_->panels().size())) return;
    const auto& c = Theme::instance().colours();
    const auto line = chart_->outline(at.panel, at.ridge);
    painter->setAntialiasing(true);
    painter->setBrush(Qt::NoBrush);
    painter->setPen(QPen(c.text, 1));
    painter->drawPolyline(line);
    const auto point = line[std::clamp<qsizetype>(1 + at.column - chart_->firstColumn(), 0, line.size() - 1)];
    painter->setPen(QPen(c.plot, 1.5));
    painter->setBrush(c.accent);
    painter->drawEllipse(point, 4, 4);
}

} // namespace pha::ui
