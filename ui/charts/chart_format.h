// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/look/theme.h"

#include <QString>

#include <functional>

namespace pha::ui {

/// What the x axis of a chart counts. Seconds are active training time: pauses and evaluations are not in it.
enum class XAxis { Step, Tokens, Seconds };

/// What the values of a chart are, which decides how they read.
enum class ValueKind { Loss, Perplexity, Rate, Bytes, Share, Scientific };

/// A colour by meaning, looked up anew when the theme changes.
using ColourRole = std::function<QColor(const Colours&)>;

QString valueText(ValueKind kind, double value); ///< for readouts; "not finite" for NaN
QString tickText(ValueKind kind, double value, double step); ///< for axes: no more digits than the step needs
QString axisText(XAxis axis, double value); ///< "step 1,200", "4.91M tokens", "6 min 12 s"
QString axisTick(XAxis axis, double value, double step);
QString axisName(XAxis axis); ///< "step", "tokens", "active time"

/// `share` of `top` over `base`, opaque: pale lines stay cheap to draw and look the same on every layer.
QColor blend(const QColor& top, const QColor& base, double share);

} // namespace pha::ui
