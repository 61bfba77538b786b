// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/inspect/look_figures.h"

#include <QStyledItemDelegate>
#include <QTableWidget>

namespace pha::ui {

/// A cell with a small histogram: from -8 to 8 rms, heights logarithmic.
class HistogramDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    enum Role { Counts = Qt::UserRole + 1, Colour };
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

/// How large the numbers are at each place of the network: the stream after each layer, what each part puts out, what
/// is inside feed-forward networks.
class ActivationTable : public QTableWidget {
    Q_OBJECT

public:
    explicit ActivationTable(QWidget* parent = nullptr);
    void setLook(const LookPtr& look); ///< null: empty
    QString reading() const; ///< what there is to say of the current row
    int tokenOfLargest() const; ///< where the largest number of the current row is; -1: there is no row
    static QString csv(const InsideView& look);

Q_SIGNALS:
    void rowChosen();

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void paintCells();
    void fitColumns();
    const ActivationFigures* current() const; ///< null: none

    LookPtr look_;
};

} // namespace pha::ui
