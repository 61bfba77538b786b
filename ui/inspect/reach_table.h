// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/inspect/look_figures.h"

#include <QStyledItemDelegate>
#include <QTableWidget>

namespace pha::ui {

/// A tile with a figure in its middle; there is no room for more.
class HeatDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

/// How far back each part of each layer reads: shares by distance as a heat map, and the mean distance.
class ReachTable : public QTableWidget {
    Q_OBJECT

public:
    explicit ReachTable(QWidget* parent = nullptr);
    void setLook(const LookPtr& look); ///< null: empty
    static QString csv(const InsideView& look);

private:
    void paintCells();
    LookPtr look_;
};

/// Distances of a column: 0, 1, 2 to 3, 4 to 7, ...
struct ReachBin {
    std::int64_t from = 0, to = 0; ///< both are in it
};
ReachBin reachBin(std::size_t column);

} // namespace pha::ui
