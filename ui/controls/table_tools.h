// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStyledItemDelegate>
#include <QTableView>

namespace pha::ui {

/// Ctrl+C and a context menu copy the selected rows, with the headings, as tab-separated text.
void makeCopyable(QTableView* table);
QString selectedText(const QTableView& table); ///< everything if nothing is selected
QString csvLine(const QStringList& cells); ///< RFC 4180, with the line's end

/// Read-only, whole rows, no grid: the look of every table here.
void styleTable(QTableView* table);

/// Plain cells: text colours stay when a row is selected, coloured cells are tiles, and a colour as decoration is a
/// square before the text.
class CellDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

/// A cell with a bar behind its text.
class BarDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    enum Role {
        Share = Qt::UserRole + 1,
        Mark,
        Branch
    }; ///< 0 to 1; a tick at 0 to 1, optional; a branch's name, optional
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

} // namespace pha::ui
