// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/look/studio_style.h"

#include "ui/look/theme.h"

#include <QPainter>
#include <QPushButton>
#include <QStyleFactory>
#include <QStyleOption>
#include <QTabBar>
#include <QToolButton>

namespace pha::ui {

StudioStyle::StudioStyle()
    : QProxyStyle(QStyleFactory::create(QStringLiteral("Fusion")))
{
}

void StudioStyle::drawPrimitive(
    PrimitiveElement element, const QStyleOption* option, QPainter* painter, const QWidget* widget) const
{
    if (element == PE_FrameFocusRect) {
        // Buttons change the colour of their border instead; Fusion's frame would lie over their text.
        if (qobject_cast<const QPushButton*>(widget) || qobject_cast<const QToolButton*>(widget)) return;
        painter->save();
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setPen(QPen(Theme::instance().colours().accent, 1.2));
        painter->setBrush(Qt::NoBrush);
        const int air = qobject_cast<const QTabBar*>(widget) ? 3 : 0;
        painter->drawRoundedRect(QRectF(option->rect).adjusted(-air, 0.6 - air, air, air - 0.6), 4, 4);
        painter->restore();
        return;
    }
    const bool box = element == PE_IndicatorCheckBox || element == PE_IndicatorItemViewItemCheck,
               radio = element == PE_IndicatorRadioButton;
    if (!box && !radio) return QProxyStyle::drawPrimitive(element, option, painter, widget);
    const auto& c = Theme::instance().colours();
    const bool enabled = option->state & State_Enabled, on = option->state & (State_On | State_NoChange);
    const qreal side = std::min(option->rect.width(), option->rect.height()) - 1;
    const QRectF square(
        option->rect.center().x() - side / 2 + 0.5, option->rect.center().y() - side / 2 + 0.5, side, side);
    auto frame = option->state & State_HasFocus ? c.accent : c.muted;
    if (!enabled) frame = c.border;
    const auto fill = enabled ? c.accent : c.border;
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(QPen(on ? fill : frame, 1.2));
    painter->setBrush(on && box ? fill : c.surface);
    const qreal radius = radio ? side / 2 : 3.5;
    painter->drawRoundedRect(square.adjusted(0.6, 0.6, -0.6, -0.6), radius, radius);
    const auto mark = enabled ? c.onAccent : c.muted;
    if (on && radio) {
        painter->setPen(Qt::NoPen);
        painter->setBrush(fill);
        painter->drawEllipse(square.center(), side * 0.24, side * 0.24);
    } else if (option->state & State_NoChange) {
        painter->setPen(QPen(mark, 1.8, Qt::SolidLine, Qt::RoundCap));
        painter->drawLine(square.center() - QPointF(side * 0.22, 0), square.center() + QPointF(side * 0.22, 0));
    } else if (on) {
        painter->setPen(QPen(mark, 1.8, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
        const auto at = [&](qreal x, qreal y) { return square.topLeft() + QPointF(x, y) * side; };
        painter->drawPolyline(QPolygonF { at(0.27, 0.53), at(0.44, 0.7), at(0.75, 0.32) });
    }
    painter->restore();
}

void StudioStyle::drawItemText(QPainter* painter, const QRect& rect, int flags, const QPalette& palette, bool enabled,
    const QString& text, QPalette::ColorRole role) const
{
    // The style sheet draws the text of a combo box by this, and cuts it off at the edge.
    const bool choice = role == QPalette::Text && flags == int(Qt::AlignLeft | Qt::AlignVCenter);
    QProxyStyle::drawItemText(painter, rect, flags, palette, enabled,
        choice ? painter->fontMetrics().elidedText(text, Qt::ElideRight, rect.width()) : text, role);
}

int StudioStyle::pixelMetric(PixelMetric metric, const QStyleOption* option, const QWidget* widget) const
{
    switch (metric) {
    case PM_IndicatorWidth:
    case PM_IndicatorHeight:
    case PM_ExclusiveIndicatorWidth:
    case PM_ExclusiveIndicatorHeight:
        return 16;
    default:
        return QProxyStyle::pixelMetric(metric, option, widget);
    }
}

int StudioStyle::styleHint(
    StyleHint hint, const QStyleOption* option, const QWidget* widget, QStyleHintReturn* data) const
{
    // A list below the field, as everywhere else, instead of one over it.
    if (hint == SH_ComboBox_Popup) return 0;
    if (hint == SH_DialogButtonBox_ButtonsHaveIcons) return 0; // words say it, in the style of every other button
    return QProxyStyle::styleHint(hint, option, widget, data);
}

} // namespace pha::ui
