// SPDX-License-Identifier: GPL-3.0-or-later
// MixingBars: painting.
#include "ui/charts/chart_format.h"
#include "ui/charts/mixing_bars.h"

#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

double luminance(const QColor& colour)
{
    const auto channel = [](double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
    return 0.2126 * channel(colour.redF()) + 0.7152 * channel(colour.greenF()) + 0.0722 * channel(colour.blueF());
}

/// Black or white, whichever reads better.
QColor inkOn(const QColor& ground) { return luminance(ground) > 0.179 ? QColor(0x10, 0x14, 0x1A) : QColor(Qt::white); }

} // namespace

void MixingBars::paintEvent(QPaintEvent*)
{
    QPainter painter(viewport());
    painter.setRenderHint(QPainter::Antialiasing);
    const auto& c = Theme::instance().colours();
    auto small = font();
    small.setPointSizeF(font().pointSizeF() * 0.92);
    for (int row = 0; row < rows(); ++row) {
        const auto rect = rowRect(row);
        if (rect.bottom() < 0 || rect.top() > viewport()->height()) continue;
        const bool chosen = row == selected_ + 1;
        const auto bar = barRect(row);
        if (chosen) {
            painter.setPen(Qt::NoPen);
            painter.setBrush(blend(c.accent, c.plot, c.dark ? 0.24 : 0.13));
            painter.drawRoundedRect(QRectF(rect).adjusted(3, 0, -3, 0), 4, 4);
        }
        auto labelFont = font();
        labelFont.setBold(chosen);
        painter.setFont(labelFont);
        painter.setPen(chosen || row == 0 ? c.text : c.muted);
        painter.drawText(
            QRectF(8, rect.top(), bar.left() - 16, rect.height()), Qt::AlignVCenter | Qt::AlignRight, rowName(row));
        painter.setFont(small);

        // Rounded ends for the whole bar, straight borders inside it.
        painter.save();
        QPainterPath clip;
        clip.addRoundedRect(bar, 3, 3);
        painter.setClipPath(clip);
        painter.fillRect(bar, blend(c.text, c.plot, 0.06));
        const auto parts = segments(row);
        for (const auto& part : parts) {
            auto colour = c.branch(branchName(row, part.branch));
            if (heatMap_) {
                const double value = valueOf(row, part.branch);
                colour = blend(
                    colour, c.plot, std::isfinite(value) ? 0.06 + 0.94 * std::clamp(value / largest_, 0., 1.) : 0.);
            }
            painter.fillRect(part.rect, colour);
            painter.setPen(inkOn(colour));
            painter.drawText(part.rect, Qt::AlignCenter, part.text);
        }
        painter.setPen(QPen(c.plot, 1)); // a hair of ground between branches, also without colour vision
        for (int i = 1; i < parts.size(); ++i)
            painter.drawLine(QPointF(parts[i].rect.left(), bar.top()), QPointF(parts[i].rect.left(), bar.bottom()));
        painter.restore();

        if (mixes(row)) {
            painter.setPen(c.muted);
            const double entropy = entropyOf(row);
            painter.drawText(QRectF(bar.right() + 6, rect.top(), rect.right() - 8 - bar.right() - 6, rect.height()),
                Qt::AlignVCenter | Qt::AlignRight,
                std::isfinite(entropy) ? QString::number(entropy, 'f', 2) : QStringLiteral("–"));
        }
        if (row == 0) {
            painter.setPen(QPen(c.grid, 1));
            painter.drawLine(QPointF(8, rect.bottom() + 0.5), QPointF(rect.right() - 8, rect.bottom() + 0.5));
        }
    }
    if (hasFocus() && rows() > 0) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(c.accent, 1.5));
        painter.drawRoundedRect(QRectF(rowRect(selected_ + 1)).adjusted(3, 0.75, -3, -0.75), 4, 4);
    }
}

} // namespace pha::ui
