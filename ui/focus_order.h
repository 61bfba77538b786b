// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>

class QMainWindow;
class QWidget;

namespace pha::ui {

/// All that the Tab key visits in a window, in the order in which it is read: as the layouts say, columns of panels
/// from the left. Qt's own order is that of construction, which a panel that builds a part anew leaves. `always` is in
/// the list even if Tab does not visit it, when it can be seen.
QList<QWidget*> focusOrder(const QMainWindow* window, const QWidget* always);
/// Moves the focus to the next or the previous of them, and scrolls there. False if the focus is somewhere else.
bool focusNeighbour(const QMainWindow* window, bool next);
/// Moves the focus to the one that a part of the window gives its own to, else to the first in it. False if nothing
/// there takes it.
bool focusInside(QWidget* area);

} // namespace pha::ui
