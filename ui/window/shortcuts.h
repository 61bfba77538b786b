// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QKeySequence>
#include <QList>
#include <QString>

class QAction;

/// Which keys the commands of the window have: usual ones, in whose place a user may put others, which the settings
/// keep.
namespace pha::ui::shortcuts {

void setUsual(QAction* action, const QList<QKeySequence>& keys); ///< called once, before all else
void restore(const QList<QAction*>& actions); ///< what the settings hold
bool isUsual(const QAction* action);
void assign(QAction* action, const QKeySequence& keys); ///< empty: none
void take(QAction* action, const QKeySequence& keys); ///< away; its other keys stay
void reset(QAction* action); ///< to the usual ones
/// Whose these keys are already, apart from `except`; null: nobody's.
QAction* owner(const QList<QAction*>& actions, const QKeySequence& keys, const QAction* except);
/// Why no command can have these keys; empty: one can.
QString refusal(const QKeySequence& keys);

} // namespace pha::ui::shortcuts
