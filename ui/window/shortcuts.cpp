// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/shortcuts.h"

#include "ui/window/window_actions.h"

#include <QCoreApplication>
#include <QSettings>
#include <QVariant>

#include <algorithm>

namespace pha::ui::shortcuts {

namespace {

constexpr auto usualKeys = "usualKeys";

QString tr(const char* text) { return QCoreApplication::translate("pha::ui::shortcuts", text); }

QString settingOf(const QAction* action) { return QStringLiteral("shortcuts/") + action->objectName(); }

QList<QKeySequence> usual(const QAction* action) { return action->property(usualKeys).value<QList<QKeySequence>>(); }

void give(QAction* action, const QList<QKeySequence>& keys)
{
    action->setShortcuts(keys);
    WindowActions::retell(action, action->property("told").toString()); // the tip names the keys
}

bool edits(const QKeySequence& keys)
{
    using K = QKeySequence;
    const auto all = { K::Copy, K::Cut, K::Paste, K::Undo, K::Redo, K::SelectAll };
    return std::any_of(
        all.begin(), all.end(), [&](K::StandardKey edit) { return K::keyBindings(edit).contains(keys); });
}

} // namespace

void setUsual(QAction* action, const QList<QKeySequence>& keys)
{
    action->setProperty(usualKeys, QVariant::fromValue(keys));
    action->setShortcuts(keys);
}

void restore(const QList<QAction*>& actions)
{
    const QSettings settings;
    for (auto* action : actions) {
        if (!settings.contains(settingOf(action))) continue;
        const auto keys = QKeySequence::fromString(settings.value(settingOf(action)).toString());
        if (!refusal(keys).isEmpty()) continue;
        // What the user gave it is not that of another command as well, as it may be since a later version.
        if (auto* other = owner(actions, keys, action)) {
            auto rest = other->shortcuts();
            rest.removeAll(keys);
            give(other, rest);
        }
        give(action, keys.isEmpty() ? QList<QKeySequence>() : QList { keys });
    }
}

bool isUsual(const QAction* action) { return action->shortcuts() == usual(action); }

void assign(QAction* action, const QKeySequence& keys)
{
    give(action, keys.isEmpty() ? QList<QKeySequence>() : QList { keys });
    if (isUsual(action))
        QSettings().remove(settingOf(action));
    else
        QSettings().setValue(settingOf(action), keys.toString(QKeySequence::PortableText));
}

void take(QAction* action, const QKeySequence& keys)
{
    auto rest = action->shortcuts();
    rest.removeAll(keys);
    if (rest.size() <= 1) return assign(action, rest.value(0));
    give(action, rest); // the settings hold one for each: restore() takes these keys away again
}

void reset(QAction* action)
{
    give(action, usual(action));
    QSettings().remove(settingOf(action));
}

QAction* owner(const QList<QAction*>& actions, const QKeySequence& keys, const QAction* except)
{
    if (keys.isEmpty()) return nullptr;
    const auto found = std::find_if(actions.begin(), actions.end(),
        [&](const QAction* action) { return action != except && action->shortcuts().contains(keys); });
    return found == actions.end() ? nullptr : *found;
}

QString refusal(const QKeySequence& keys)
{
    if (keys.isEmpty()) return {};
    const auto pressed = keys[0];
    const auto modifiers = pressed.keyboardModifiers() & ~Qt::KeypadModifier;
    const int key = pressed.key();
    if (modifiers == Qt::NoModifier || modifiers == Qt::ShiftModifier)
        for (const int own : { Qt::Key_Tab, Qt::Key_Backtab, Qt::Key_Return, Qt::Key_Enter, Qt::Key_Left, Qt::Key_Right,
                 Qt::Key_Up, Qt::Key_Down, Qt::Key_Home, Qt::Key_End, Qt::Key_PageUp, Qt::Key_PageDown,
                 Qt::Key_Backspace, Qt::Key_Delete })
            if (key == own) return tr("moves the focus or works inside the panels");
    if (modifiers == Qt::AltModifier && key >= Qt::Key_A && key <= Qt::Key_Z)
        return tr("opens a menu or goes to a field");
    if (edits(keys)) return tr("edits text");
    return {};
}

} // namespace pha::ui::shortcuts
