// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/inspect/look_figures.h"

#include <QStyledItemDelegate>
#include <QTableWidget>

namespace pha::ui {

/// A cell with a bar from its middle: to the right above zero, to the left below.
class PushDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    /// -1 to 1 of the longest bar; whose colour it has; nats, where the cell says nothing else.
    enum Role { Share = Qt::UserRole + 1, Part, Number };
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
};

/// What each part of each layer adds to the logit of one token, in nats. First all layers together, then what belongs
/// to none (the embedding, biases of norms), then layer by layer.
class PushTable : public QTableWidget {
    Q_OBJECT

public:
    explicit PushTable(QWidget* parent = nullptr);
    void setLook(const LookPtr& look); ///< null: empty
    void setToken(int token); ///< -1: the mean over the text
    static QString csv(const InsideView& look); ///< every token, layer and part

private:
    void fill();
    void bar(int row, int column, double nats, double share, const QString& part, const QString& where);

    LookPtr look_;
    QStringList parts_, outside_; ///< outside: what belongs to no layer
    std::vector<std::int64_t> layers_;
    int token_ = -1;
};

} // namespace pha::ui
