// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QList>

class QAction;
class QLabel;
class QLineEdit;
class QPushButton;
class QTreeWidget;
class QTreeWidgetItem;

namespace pha::ui {

class KeyField;

/// All commands with their keys, which can be changed here: one picks a command, presses the keys and assigns them. Of
/// keys that another command has it says so first.
class ShortcutSheet : public QDialog {
    Q_OBJECT

public:
    explicit ShortcutSheet(QList<QAction*> actions, QWidget* parent = nullptr);

private:
    void build();
    QPushButton* button(const QString& text, const QString& id, const QString& tip);
    void fill();
    void refresh(QTreeWidgetItem* row);
    void search(const QString& words);
    QAction* chosen() const;
    void choose();
    void judge();
    void assign();
    void resetAll();

    const QList<QAction*> actions_;
    QLineEdit* search_;
    QTreeWidget* list_;
    QLabel *name_, *message_;
    KeyField* keys_;
    QPushButton *assign_, *none_, *usual_, *all_;
};

} // namespace pha::ui
