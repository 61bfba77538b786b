// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QWidget>

class QBoxLayout;

namespace pha::ui {

/// Groups of controls in one line; where the panel is too narrow for that, one group below the other.
class FoldingRow : public QWidget {
    Q_OBJECT

public:
    explicit FoldingRow(QWidget* parent);
    /// What is elided or expands takes the room that is left, else nothing does.
    void add(const QList<QWidget*>& group);
    QSize minimumSizeHint() const override; ///< as wide as the widest group

protected:
    bool event(QEvent* event) override;

private:
    QBoxLayout* groups_;
};

} // namespace pha::ui
