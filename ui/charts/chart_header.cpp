// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_frame.h"

#include <QFontMetricsF>
#include <QPainter>

namespace pha::ui {

namespace {
constexpr double gap = 14, markWidth = 16, markGap = 5;
constexpr double leastTitle = 30, leastGap = 6; ///< beside a figure that would not fit otherwise
constexpr double leastHeadline = 90; ///< of one that is cut
constexpr double leastName = 60; ///< of a name that was cut; with less it says nothing
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
    case Mark::Dots:
        painter.drawEllipse(c, 3, 3);
        break;
    case Mark::Triangle:
        painter.drawPolygon(QPolygonF({ c + QPointF(-4, 3.5), c + QPointF(4, 3.5), c + QPointF(0, -4) }));
        break;
    case Mark::Diamond:
        painter.drawPolygon(
            QPolygonF({ c + QPointF(-4, 0), c + QPointF(0, -4), c + QPointF(4, 0), c + QPointF(0, 4) }));
        break;
    case Mark::Box:
        painter.drawRoundedRect(QRectF(c.x() - 5, c.y() - 5, 10, 10), 2, 2);
        break;
    case Mark::Line:
    case Mark::ThickLine:
        break;
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
    draw(painter, rect());
}

void ChartHeader::draw(QPainter& painter, const QRectF& area) const
{
    const auto& c = Theme::instance().colours();
    auto bold = font();
    bold.setWeight(QFont::DemiBold);
    const QFontMetricsF strong(bold), normal(font());
    const double right = area.right(), centre = area.center().y();
    const auto write = [&](double x, double width, const QString& text, const QFont& with, const QColor& colour) {
        painter.setFont(with);
        painter.setPen(colour);
        painter.drawText(QRectF(x, area.top(), width, area.height()), Qt::AlignVCenter | Qt::AlignLeft,
            QFontMetricsF(with).elidedText(text, Qt::ElideRight, width));
    };

    double titleWidth = std::min(strong.horizontalAdvance(title_) + 1, area.width()), space = gap;
    const double figureWidth = normal.horizontalAdvance(headline_) + 1, besideIt = area.width() - figureWidth;
    // Half a figure is a wrong one, half a title still says which chart this is.
    if (!headline_.isEmpty() && titleWidth + gap > besideIt
        && besideIt - leastGap >= std::min(leastTitle, titleWidth)) {
        titleWidth = std::min(titleWidth, besideIt - leastGap);
        space = besideIt - titleWidth;
    }
    write(area.left(), titleWidth, title_, bold, c.text);
    double x = area.left() + titleWidth + space;
    if (!headline_.isEmpty() && right - x >= std::min(figureWidth, leastHeadline)) {
        const double width = std::min(figureWidth, right - x);
        write(x, width, headline_, font(), c.accent);
        x += width + gap;
    }

    // The legend stands at the right edge; entries at its end go first when room is short, and their number remains.
    // The first one is cut before it goes.
    QVector<double> widths;
    double all = 0;
    for (const auto& entry : legend_) {
        widths << markWidth + markGap + normal.horizontalAdvance(entry.text) + gap;
        all += widths.last();
    }
    const auto rest = [&](qsizetype n) { return QStringLiteral("+%1").arg(n); };
    qsizetype shown = legend_.size();
    double extra = -gap;
    while (shown > 1 && all + extra > right - x) {
        all -= widths[--shown];
        extra = normal.horizontalAdvance(rest(legend_.size() - shown)) + 1;
    }
    if (shown == 0) return;
    if (all + extra > right - x) all = widths.first() = right - x - extra;
    const double besideName = markWidth + markGap + gap - 2; // of an entry by itself
    if (shown == 1 && widths.first() < besideName + std::min(leastName, normal.horizontalAdvance(legend_.first().text)))
        return;
    double left = right - all - extra;
    for (qsizetype i = 0; i < shown; ++i) {
        drawLegendMark(painter, QRectF(left, centre - 6, markWidth, 12), legend_[i].mark, legend_[i].colour(c));
        write(left + markWidth + markGap, shown == 1 ? widths[i] - besideName : widths[i] - markWidth - markGap,
            legend_[i].text, font(), c.muted);
        left += widths[i];
    }
    if (shown < legend_.size()) write(left, extra, rest(legend_.size() - shown), font(), c.muted);
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
