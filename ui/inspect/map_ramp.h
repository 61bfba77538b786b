// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

#include <QColor>
#include <QImage>
#include <QVector>

namespace pha::ui {

/// Colours of shares from 0 to 1 in the hue of a part: lightness runs straight from the ground of the theme to its far
/// end, as the eye sees it (OKLab), so that steps look alike everywhere.
class MapRamp {
public:
    explicit MapRamp(const QColor& hue);
    QColor at(double level) const; ///< 0 to 1 along the ramp
    QColor of(double share) const { return at(level(share)); }
    /// Shares grow along the ramp as their square root: a hundredth, which is much among hundreds of tokens, is seen.
    static double level(double share);
    /// One head as a picture of T by T points. What lies ahead of a token is transparent: it is not there to be read.
    QImage image(const ReadingMap& map, int head) const;

private:
    static constexpr int steps = 255;
    QVector<QRgb> table_; ///< transparent, then the steps
};

} // namespace pha::ui
