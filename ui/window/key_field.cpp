// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/key_field.h"

#include <QKeyEvent>

namespace pha::ui {

KeyField::KeyField(QWidget* parent)
    : QLineEdit(parent)
{
    setReadOnly(true);
    setContextMenuPolicy(Qt::NoContextMenu);
}

void KeyField::setKeys(const QKeySequence& keys)
{
    keys_ = keys;
    setText(keys.toString(QKeySequence::NativeText));
    Q_EMIT keysChanged();
}

bool KeyField::event(QEvent* event)
{
    if (event->type() == QEvent::ShortcutOverride && static_cast<QKeyEvent*>(event)->key() != Qt::Key_Escape) {
        event->accept(); // no command while its keys are chosen
        return true;
    }
    return QLineEdit::event(event);
}

void KeyField::keyPressEvent(QKeyEvent* event)
{
    const auto key = Qt::Key(event->key());
    auto modifiers = event->modifiers() & ~(Qt::KeypadModifier | Qt::GroupSwitchModifier);
    const bool plain = modifiers == Qt::NoModifier;
    if (plain && key == Qt::Key_Escape) return event->ignore();
    if (plain && (key == Qt::Key_Return || key == Qt::Key_Enter)) {
        Q_EMIT returnPressed();
        return;
    }
    for (const auto modifier : { Qt::Key_Shift, Qt::Key_Control, Qt::Key_Alt, Qt::Key_Meta, Qt::Key_AltGr,
             Qt::Key_CapsLock, Qt::Key_NumLock, Qt::Key_unknown })
        if (key == modifier) return;
    // Shift that is only needed to type a sign is not part of it.
    const auto text = event->text();
    if (!text.isEmpty() && text[0].isPrint() && !text[0].isLetterOrNumber() && !text[0].isSpace())
        modifiers &= ~Qt::ShiftModifier;
    setKeys(QKeyCombination(modifiers, key));
}

} // namespace pha::ui
