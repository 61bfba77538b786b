// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/readout_strip.h"

#include "ui/charts/chart_format.h"

#include <QPainter>

namespace pha::ui {

namespace {
constexpr int gap = 16, swatch = 8, swatchGap = 5, lines = 2;
} // namespace

ReadoutStrip::ReadoutStrip(QWidget* parent)
    : QWidget(parent)
{
    setObjectName(QStringLiteral("readout"));
    setAccessibleName(tr("Values under the cursor"));
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(&Theme::instance(), &Theme::changed, this, [this] { update(); });
}

void ReadoutStrip::setItems(QVector<Item> items)
{
    items_ = std::move(items);
    const auto all = text();
    setToolTip(all);
    setAccessibleDescription(all);
    update();
}

void ReadoutStrip::clear() { setItems({}); }

QString ReadoutStrip::text() const
{
    QStringList parts;
    for (const auto& item : items_)
        parts << (item.name.isEmpty() ? item.value : item.name + QLatin1Char(' ') + item.value);
    return parts.join(QStringLiteral(" · "));
}

QSize ReadoutStrip::sizeHint() const { return QSize(400, lines * (fontMetrics().height() + 1) + 4); }

QSize ReadoutStrip::minimumSizeHint() const { return QSize(120, sizeHint().height()); }

void ReadoutStrip::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const auto& c = Theme::instance().colours();
    const int lineHeight = fontMetrics().height() + 1, last = width() - 6;
    if (items_.isEmpty()) {
        painter.setPen(c.muted);
        painter.drawText(QRect(6, 0, last - 6, height()), Qt::AlignVCenter | Qt::AlignLeft,
            fontMetrics().elidedText(tr("Point at a chart, or focus it and press the arrow keys, to read its values."),
                Qt::ElideRight, last - 6));
        return;
    }
    auto bold = font();
    bold.setWeight(QFont::DemiBold);
    const QFontMetrics strong(bold);
    int x = 6, y = 2, line = 0;
    for (int i = 0; i < items_.size(); ++i) {
        const auto& item = items_[i];
        const int nameWidth = item.name.isEmpty() ? 0 : fontMetrics().horizontalAdvance(item.name) + 5;
        const int valueWidth = strong.horizontalAdvance(item.value);
        const int mark = item.colour.isValid() ? swatch + swatchGap : 0;
        const auto rest = tr("+%1 more").arg(items_.size() - i);
        const bool isLast = i == items_.size() - 1;
        const int room = last - (line == lines - 1 && !isLast ? fontMetrics().horizontalAdvance(rest) + gap : 0);
        if (x > 6 && x + mark + nameWidth + valueWidth > room) {
            if (++line == lines) {
                painter.setFont(font());
                painter.setPen(c.muted);
                painter.drawText(QRect(x, y, last - x, lineHeight), Qt::AlignVCenter | Qt::AlignLeft, rest);
                return;
            }
            x = 6;
            y += lineHeight;
        }
        if (mark) {
            painter.setPen(Qt::NoPen);
            painter.setBrush(item.colour);
            painter.drawRoundedRect(QRectF(x, y + (lineHeight - swatch) / 2., swatch, swatch), 2, 2);
        }
        painter.setFont(font());
        painter.setPen(c.muted);
        painter.drawText(QRect(x + mark, y, nameWidth, lineHeight), Qt::AlignVCenter | Qt::AlignLeft, item.name);
        painter.setFont(bold);
        painter.setPen(c.text);
        painter.drawText(
            QRect(x + mark + nameWidth, y, valueWidth + 2, lineHeight), Qt::AlignVCenter | Qt::AlignLeft, item.value);
        x += mark + nameWidth + valueWidth + gap;
    }
}

} // namespace pha::ui
