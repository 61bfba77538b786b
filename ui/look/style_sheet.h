// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/look/theme.h"

namespace pha::ui {

/// The application's style sheet and palette in these colours. `pointSize` is that of normal text.
QString styleSheet(const Colours& colours, double pointSize);
QPalette palette(const Colours& colours);

} // namespace pha::ui
