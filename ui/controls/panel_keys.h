// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/claim_escape.h"

#include <QAbstractButton>
#include <QApplication>

namespace pha::ui {

inline bool isRunKey(const QKeyEvent& key)
{
    return (key.key() == Qt::Key_Return || key.key() == Qt::Key_Enter) && key.modifiers().testFlag(Qt::ControlModifier);
}

/// Keys that mean something inside a panel go there, although the window may have a shortcut of the same name: two
/// shortcuts for one key would cancel each other. Call it first in event().
inline bool claimPanelKey(QEvent* event, bool busy)
{
    if (claimEscape(event, busy)) return true;
    if (event->type() != QEvent::ShortcutOverride) return false;
    const auto* key = static_cast<QKeyEvent*>(event);
    const bool press = key->key() == Qt::Key_Space && qobject_cast<QAbstractButton*>(QApplication::focusWidget());
    if (!isRunKey(*key) && !press) return false;
    event->accept();
    return true;
}

} // namespace pha::ui
