// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QKeySequence>
#include <QLineEdit>

namespace pha::ui {

/// A field that shows the keys that are pressed in it, one stroke. Tab leaves it and Escape closes what it is in, as
/// everywhere.
class KeyField : public QLineEdit {
    Q_OBJECT

public:
    explicit KeyField(QWidget* parent = nullptr);
    QKeySequence keys() const { return keys_; }
    void setKeys(const QKeySequence& keys);

Q_SIGNALS:
    void keysChanged();

protected:
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    QKeySequence keys_;
};

} // namespace pha::ui
