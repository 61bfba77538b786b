// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/chart_format.h"

#include <QString>
#include <QVector>

namespace pha::ui {

/// A horizontal line with a name at the right edge, or only the name (the end of a curve).
struct EdgeLabel {
    QString text;
    double value = 0;
    ColourRole colour;
    bool line = true;
    bool bold = false;
};

/// Something that happened at one place of the x axis.
struct PlotMarker {
    enum class Kind { Checkpoint, BestCheckpoint, Command, Resumed, Trouble };
    double x = 0;
    Kind kind = Kind::Command;
    QString text; ///< shown while the pointer is near
};

} // namespace pha::ui
