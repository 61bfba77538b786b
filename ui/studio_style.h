// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QProxyStyle>

namespace pha::ui {

/// Fusion, with the marks that a style sheet cannot draw without picture files: check boxes, radio buttons, menu ticks.
class StudioStyle : public QProxyStyle {
    Q_OBJECT

public:
    StudioStyle();
    void drawPrimitive(
        PrimitiveElement element, const QStyleOption* option, QPainter* painter, const QWidget* widget) const override;
    int pixelMetric(PixelMetric metric, const QStyleOption* option, const QWidget* widget) const override;
    int styleHint(
        StyleHint hint, const QStyleOption* option, const QWidget* widget, QStyleHintReturn* data) const override;
};

} // namespace pha::ui
