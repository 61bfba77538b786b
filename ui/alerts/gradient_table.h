// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"

#include <QTableWidget>

namespace pha::ui {

/// The gradient of each part of each layer in one update, as a multiple of what it usually is; those that jumped most
/// come first.
class GradientTable : public QTableWidget {
    Q_OBJECT

public:
    explicit GradientTable(QWidget* parent = nullptr);
    void setAlert(const AlertEvent& alert);

private:
    void put(int row, const PartGradient& gradient, double share, std::int64_t usualStep);
};

} // namespace pha::ui
