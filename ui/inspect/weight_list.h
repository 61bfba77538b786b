// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/inspect/weight_history.h"

#include <QAbstractTableModel>
#include <QSortFilterProxyModel>
#include <QTableView>

namespace pha::ui {

/// Tensors of one checkpoint, a row each.
class WeightListModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column { Tensor, Shape, Rms, Change, Distribution, Columns };
    enum Role { Sort = Qt::UserRole + 1, Heights, Part }; ///< Heights: of the little histogram, 0 to 1

    using QAbstractTableModel::QAbstractTableModel;
    void setMoment(const WeightMoment* moment); ///< null: none. Rows stay rows if the tensors are the same
    const TensorFigures& tensor(int row) const { return moment_.figures->tensors[std::size_t(row)]; }
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    QString text(const TensorFigures& tensor, int column) const;
    QString tip(const TensorFigures& tensor) const;
    bool sameTensors(const WeightMoment* moment) const;

    WeightMoment moment_;
};

/// Which tensors are shown, in which order.
class WeightFilter : public QSortFilterProxyModel {
    Q_OBJECT

public:
    static constexpr int everyLayer = -2;
    explicit WeightFilter(WeightListModel* model);
    void show(const QString& part, int layer, bool oddOnly); ///< empty: every part; -1: what is of no layer

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
    bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;

private:
    const WeightListModel* model_;
    QString part_;
    int layer_ = everyLayer;
    bool oddOnly_ = false;
};

/// The table of tensors. Rows are selected like files: with Ctrl several, which are then shown side by side.
class WeightTable : public QTableView {
    Q_OBJECT

public:
    explicit WeightTable(QWidget* parent);
    void setModels(WeightFilter* filter);

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void fitColumns();
};

QString tensorTitle(const std::string& name); ///< "L3 gss.value"
QString movedText(double change); ///< "148 %", "2.1 %", "<0.1 %"; "0 %": not at all
QString rankText(const TensorFigures& tensor); ///< "rank 88 of 128"; empty: not known

} // namespace pha::ui
