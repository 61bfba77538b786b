// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/map_ramp.h"

#include "ui/controls/table_tools.h"
#include "ui/look/theme.h"

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

/// Björn Ottosson's OKLab: L is lightness, a and b are green to red and blue to yellow.
struct OkLab {
    double L = 0, a = 0, b = 0;
};

double toLinear(double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); }
double fromLinear(double v) { return v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055; }

OkLab okLab(const QColor& colour)
{
    const double r = toLinear(colour.redF()), g = toLinear(colour.greenF()), b = toLinear(colour.blueF());
    const double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
    const double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
    const double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
    return { 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s };
}

QRgb toRgb(const OkLab& lab)
{
    const double l = std::pow(lab.L + 0.3963377774 * lab.a + 0.2158037573 * lab.b, 3);
    const double m = std::pow(lab.L - 0.1055613458 * lab.a - 0.0638541728 * lab.b, 3);
    const double s = std::pow(lab.L - 0.0894841775 * lab.a - 1.2914855480 * lab.b, 3);
    const auto channel = [](double v) { return int(std::lround(255 * fromLinear(std::clamp(v, 0.0, 1.0)))); };
    return qRgb(channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
        channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
        channel(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s));
}

} // namespace

MapRamp::MapRamp(const QColor& hue)
{
    const auto& c = Theme::instance().colours();
    const auto ground = okLab(mixed(c.surface, c.text, c.dark ? 0.05 : 0.04)), middle = okLab(hue);
    const double end = c.dark ? 0.95 : 0.3;
    table_ << qRgba(0, 0, 0, 0);
    for (int i = 0; i < steps; ++i) {
        const double x = double(i) / (steps - 1);
        // The hue is full where the ramp is as light as the part's own colour, and fades towards both ends.
        const double lightness = ground.L + (end - ground.L) * x;
        const double full = std::clamp((middle.L - ground.L) / (end - ground.L), 0.05, 0.95);
        const double chroma = x < full ? x / full : 1 - 0.55 * (x - full) / (1 - full);
        table_ << toRgb(
            { lightness, ground.a + (middle.a - ground.a) * chroma, ground.b + (middle.b - ground.b) * chroma });
    }
}

QColor MapRamp::at(double level) const
{
    return QColor(table_[1 + int(std::lround(std::clamp(level, 0.0, 1.0) * (steps - 1)))]);
}

double MapRamp::level(double share) { return share > 0 ? std::sqrt(std::min(share, 1.0)) : 0; }

QImage MapRamp::image(const ReadingMap& map, int head) const
{
    const int n = int(map.tokens);
    QImage picture(n, n, QImage::Format_Indexed8);
    picture.setColorTable(table_);
    picture.fill(0);
    const auto* weights = map.weights.data() + std::ptrdiff_t(head) * n * n;
    for (int t = 0; t < n; ++t, weights += n) {
        auto* line = picture.scanLine(t);
        for (int s = 0; s <= t; ++s) line[s] = uchar(1 + std::lround(level(double(weights[s])) * (steps - 1)));
    }
    return picture.convertToFormat(QImage::Format_ARGB32_Premultiplied);
}

} // namespace pha::ui
