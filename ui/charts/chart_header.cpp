// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_frame.h"

#include <QFontMetricsF>
#include <QPainter>

namespace pha::ui {

namespace {
constexpr double gap = 14, markWidth = 16, markGap = 5;
} // namespace

void drawLegendMark(QPainter& painter, const QRectF& box, LegendEntry::Mark mark, const QColor& colour)
{
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    const auto c = box.center();
    using Mark = LegendEntry::Mark;
    if (mark == Mark::Line || mark == Mark::ThickLine || mark == Mark::Triangle) {
        painter.setPen(QPen(colour, mark == Mark::ThickLine ? 2.4 : 1.4));
        painter.drawLine(QPointF(box.left(), c.y()), QPointF(box.right(), c.y()));
    }
    painter.setPen(Qt::NoPen);
    painter.setBrush(colour);
    switch (mark) {
    case Mark::Dots: painter.drawEllipse(c, 3, 3); break;
    case Mark::Triangle: painter.drawPolygon(QPolygonF({ c + QPointF(-4, 3.5), c + QPointF(4, 3.5), c + QPointF(0, -4) })); break;
    case Mark::Diamond: painter.drawPolygon(QPolygonF({ c + QPointF(-4, 0), c + QPointF(0, -4), c + QPointF(4, 0), c + QPointF(0, 4) })); break;
    case Mark::Box: painter.drawRoundedRect(QRectF(c.x() - 5, c.y() - 5, 10, 10), 2, 2); break;
    case Mark::Line:
    case Mark::ThickLine: break;
    }
    painter.restore();
}

ChartHeader::ChartHeader(QWidget* parent)
    : QWidget(parent)
{
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setAttribute(Qt::WA_TransparentForMouseEvents);
}

void ChartHeader::setTitle(const QString& title)
{
    if (title_ == title) return;
    title_ = title;
    update();
}

void ChartHeader::setHeadline(const QString& headline)
{
    if (headline_ == headline) return;
    headline_ = headline;
    update();
}

void ChartHeader::setLegend(QVector<LegendEntry> legend)
{
    legend_ = std::move(legend);
    update();
}

QSize ChartHeader::sizeHint() const { return QSize(60, fontMetrics().height() + 8); }

void ChartHeader::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    const auto& c = Theme::instance().colours();
    auto bold = font();
    bold.setWeight(QFont::DemiBold);
    const QFontMetricsF strong(bold), normal(font());
    const double width = this->width(), height = this->height();

    const auto headlineWidth = headline_.isEmpty() ? 0. : normal.horizontalAdvance(headline_) + gap;
    const double titleWidth = std::min(strong.horizontalAdvance(title_), std::max(0., width - headlineWidth));
    painter.setFont(bold);
    painter.setPen(c.text);
    painter.drawText(QRectF(0, 0, titleWidth + 1, height), Qt::AlignVCenter | Qt::AlignLeft, strong.elidedText(title_, Qt::ElideRight, titleWidth + 1));
    double x = titleWidth + gap;
    painter.setFont(font());
    if (!headline_.isEmpty() && x < width - 20) {
        painter.setPen(c.accent);
        painter.drawText(QRectF(x, 0, width - x, height), Qt::AlignVCenter | Qt::AlignLeft, normal.elidedText(headline_, Qt::ElideRight, width - x));
        x += headlineWidth;
    }

    // The legend stands at the right edge; entries at its end go first when room is short.
    QVector<double> widths;
    double total = 0;
    int shown = 0;
    for (const auto& entry : legend_) {
        const double w = markWidth + markGap + normal.horizontalAdvance(entry.text) + gap;
        if (total + w - gap > width - x) break;
        widths << w;
        total += w;
        ++shown;
    }
    double left = width - total + gap;
    for (int i = 0; i < shown; ++i) {
        drawLegendMark(painter, QRectF(left, height / 2 - 6, markWidth, 12), legend_[i].mark, legend_[i].colour(c));
        painter.setPen(c.muted);
        painter.drawText(QRectF(left + markWidth + markGap, 0, widths[i], height), Qt::AlignVCenter | Qt::AlignLeft, legend_[i].text);
        left += widths[i];
    }
}

Card::Card(QWidget* parent)
    : QWidget(parent)
{
}

void Card::paintEvent(QPaintEvent*)
{
    const auto& c = Theme::instance().colours();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setBrush(c.plot);
    painter.setPen(hasFocus() ? QPen(c.accent, 2) : QPen(c.border, 1));
    const double inset = hasFocus() ? 1 : 0.5;
    painter.drawRoundedRect(QRectF(rect()).adjusted(inset, inset, -inset, -inset), 6, 6);
}

void Card::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void Card::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

} // namespace pha::ui
