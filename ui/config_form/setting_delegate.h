// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStyledItemDelegate>

namespace pha::ui {

/// Edits settings where they are listed: a list of choices, or a line that says what it accepts. The view's model
/// holds a setting's name and its value as text under these roles; what was typed is told, not written.
class SettingDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    enum Role { Key = Qt::UserRole, Value };
    using QStyledItemDelegate::QStyledItemDelegate;

    QWidget* createEditor(QWidget* parent, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    void setEditorData(QWidget* editor, const QModelIndex& index) const override;
    void setModelData(QWidget* editor, QAbstractItemModel* model, const QModelIndex& index) const override;

Q_SIGNALS:
    void edited(const QString& key, const QString& text) const; ///< another text than before
};

} // namespace pha::ui
