// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QSplitter>

#include <vector>

namespace pha::ui {

/// Its parts stand side by side; where the panel is too narrow for that, one above the other, so that nobody has to
/// scroll sideways.
class FoldingSplitter : public QSplitter {
    Q_OBJECT

public:
    FoldingSplitter(QWidget* parent, const char* name);
    void setWidths(const QList<int>& widths); ///< shares of the room, until the user moves them
    QSize minimumSizeHint() const override; ///< as wide as the widest part alone

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    std::vector<QSize> least() const; ///< of each part that is shown

    QList<int> sideBySide_; ///< widths, also while it is folded
};

} // namespace pha::ui
