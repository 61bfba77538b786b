// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

#include <QFrame>

class QLabel;
class QTableWidget;

namespace pha::ui {

/// What the network thought at one token: its probability and the ten most probable alternatives. A child of the panel,
/// not a window of its own, so it is where it should be on every desktop and a screen reader finds it.
class TokenPopup : public QFrame {
    Q_OBJECT

public:
    explicit TokenPopup(QWidget* parent);
    void showToken(int index, const GeneratedToken& token, const QRect& near); ///< `near` in the parent's coordinates
    int index() const { return index_; }
    void setPinned(bool pinned, bool takeFocus); ///< stays until it is closed
    bool pinned() const { return pinned_; }
    void dismiss();
    void setText(const QWidget* text) { text_ = text; } ///< where presses choose tokens: they do not dismiss it

Q_SIGNALS:
    void chosen(int index, const pha::TokenAlternative& alternative);
    void entered();
    void left();
    void dismissed(bool hadFocus);

protected:
    void paintEvent(QPaintEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void enterEvent(QEnterEvent* event) override;
    void leaveEvent(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void choose(int row);
    int index_ = -1;
    bool pinned_ = false;
    GeneratedToken token_;
    const QWidget* text_ = nullptr;
    QLabel *title_, *figures_, *hint_;
    QTableWidget* list_;
};

} // namespace pha::ui
