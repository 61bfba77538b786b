// SPDX-License-Identifier: GPL-3.0-or-later
// MapGrid: pointer and keys.
#include "ui/format.h"
#include "ui/inspect/map_grid.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QToolTip>

namespace pha::ui {

void MapGrid::hover(int cell)
{
    if (cell == hovered_) return;
    hovered_ = cell;
    viewport()->update();
    Q_EMIT hovered(cell);
}

void MapGrid::mouseMoveEvent(QMouseEvent* event) { hover(cellAt(event->pos())); }

void MapGrid::mousePressEvent(QMouseEvent* event)
{
    const int cell = cellAt(event->pos());
    if (event->button() == Qt::LeftButton && cell >= 0) select(cell);
}

void MapGrid::leaveEvent(QEvent* event)
{
    QAbstractScrollArea::leaveEvent(event);
    hover(-1);
}

bool MapGrid::viewportEvent(QEvent* event)
{
    if (event->type() == QEvent::Leave) hover(-1);
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        if (const int cell = cellAt(help->pos()); cell >= 0) {
            QToolTip::showText(help->globalPos(), plainToolTip(describe(cell)), viewport(), cellRect(cell));
            return true;
        }
    }
    return QAbstractScrollArea::viewportEvent(event);
}

/// To the next picture that way; layers may lack some.
void MapGrid::walk(int rows, int columns)
{
    if (selected_ < 0) return select(plan_.cells.empty() ? -1 : 0);
    const auto& from = plan_.cells[std::size_t(selected_)];
    int row = from.row + rows, column = from.column + columns;
    for (; row >= 0 && row < int(plan_.layers.size()) && column >= 0 && column < plan_.columns;
         row += rows, column += columns)
        if (const int cell = plan_.at(row, column); cell >= 0) return select(cell);
    if (columns != 0) return;
    // No layer that way has this column: the nearest picture of the next one.
    for (row = from.row + rows; row >= 0 && row < int(plan_.layers.size()); row += rows)
        for (column = plan_.columns - 1; column >= 0; --column)
            if (const int cell = plan_.at(row, column); cell >= 0) return select(cell);
}

void MapGrid::keyPressEvent(QKeyEvent* event)
{
    const bool plain = !(event->modifiers() & ~Qt::KeypadModifier);
    const int last = int(plan_.cells.size()) - 1;
    if (plain && event->key() == Qt::Key_Left)
        walk(0, -1);
    else if (plain && event->key() == Qt::Key_Right)
        walk(0, 1);
    else if (plain && event->key() == Qt::Key_Up)
        walk(-1, 0);
    else if (plain && event->key() == Qt::Key_Down)
        walk(1, 0);
    else if (plain && event->key() == Qt::Key_Home && last >= 0)
        select(0);
    else if (plain && event->key() == Qt::Key_End && last >= 0)
        select(last);
    else
        event->ignore();
}

} // namespace pha::ui
