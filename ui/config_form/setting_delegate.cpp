// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/setting_delegate.h"

#include "ui/config_form/config_draft.h"
#include "ui/format.h"

#include <QComboBox>
#include <QLineEdit>

namespace pha::ui {

QWidget* SettingDelegate::createEditor(QWidget* parent, const QStyleOptionViewItem&, const QModelIndex& index) const
{
    const auto& field = fieldOf(index.data(Key).toString().toStdString());
    QWidget* editor = nullptr;
    if (field.kind == Field::Kind::Choice) {
        auto* combo = new QComboBox(parent);
        for (const auto& choice : field.choices) combo->addItem(fromUtf8(choice));
        editor = combo;
    } else {
        auto* line = new QLineEdit(parent);
        line->setPlaceholderText(fromUtf8(field.expectation()));
        editor = line;
    }
    editor->setObjectName(QStringLiteral("settingEditor"));
    editor->setAccessibleName(fromUtf8(field.label));
    editor->setToolTip(plainToolTip(
        tr("%1\nEnter: from the next update on. Esc: stays as it is.").arg(fromUtf8(field.expectation()))));
    return editor;
}

void SettingDelegate::setEditorData(QWidget* editor, const QModelIndex& index) const
{
    const auto text = index.data(Value).toString();
    if (auto* combo = qobject_cast<QComboBox*>(editor))
        combo->setCurrentText(text);
    else if (auto* line = qobject_cast<QLineEdit*>(editor))
        line->setText(text);
}

void SettingDelegate::setModelData(QWidget* editor, QAbstractItemModel*, const QModelIndex& index) const
{
    const auto* combo = qobject_cast<QComboBox*>(editor);
    const auto* line = qobject_cast<QLineEdit*>(editor);
    const auto text = combo ? combo->currentText() : line->text();
    if (text != index.data(Value).toString()) Q_EMIT edited(index.data(Key).toString(), text);
}

} // namespace pha::ui
