// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QKeyEvent>

namespace pha::ui {

/// Escape that ends something inside a widget first, although it is also a command of the window, which stops work.
inline bool claimEscape(QEvent* event, bool wanted)
{
    if (!wanted || event->type() != QEvent::ShortcutOverride) return false;
    if (static_cast<QKeyEvent*>(event)->key() != Qt::Key_Escape) return false;
    event->accept();
    return true;
}

} // namespace pha::ui
