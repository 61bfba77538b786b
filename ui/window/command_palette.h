// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAction>
#include <QFrame>
#include <QPointer>

class QLineEdit;
class QListWidget;

namespace pha::ui {

/// Finds any command of the window by words of its name and runs it. A panel over the window, not a dialog.
class CommandPalette : public QFrame {
    Q_OBJECT

public:
    CommandPalette(QList<QAction*> actions, QWidget* window);
    void open();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void fill(const QString& text);
    void run();

    QList<QAction*> actions_;
    QList<QAction*> listed_;
    QLineEdit* paletteSearch_;
    QListWidget* paletteList_;
    QPointer<QWidget> before_; ///< had the focus
};

/// "&Open run…" without mnemonic and dots.
QString plainActionText(const QAction* action);

} // namespace pha::ui
