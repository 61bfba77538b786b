// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"

#include <QTableWidget>

namespace pha::ui {

/// How often facts are recalled, by the distance to where they were stated; the dotted tick is a guess's chance.
class RecallTable : public QTableWidget {
    Q_OBJECT

public:
    explicit RecallTable(QWidget* parent = nullptr);
    void setRecall(const RecallEvent& recall);
};

} // namespace pha::ui
