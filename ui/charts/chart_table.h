// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QDialog>
#include <QStringList>
#include <QVector>

#include <functional>
#include <vector>

class QComboBox;
class QTableView;

namespace pha::ui {

/// One curve (or bar group) as rows and columns. The functions read the chart's own data: nothing is copied.
struct ChartSheet {
    QString name;
    QStringList columns;
    std::function<int()> rows;
    std::function<QVariant(int row, int column)> cell; ///< numbers as double, texts as QString
    /// All cells of a row, where all are numbers and there may be millions; `numbers` has as many as there are columns.
    std::function<void(int row, std::vector<double>& numbers)> line {};
};

/// A sheet as an item model. `refresh()` takes over rows that came since, and what has become of the others.
class ChartTableModel : public QAbstractTableModel {
    Q_OBJECT

public:
    explicit ChartTableModel(QObject* parent = nullptr);
    void setSheet(ChartSheet sheet);
    void refresh();
    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    ChartSheet sheet_;
    int rows_ = 0;
};

/// The chart's figures for those who cannot, or would rather not, read a picture. Follows the run while it is open.
class ChartTableDialog : public QDialog {
    Q_OBJECT

public:
    ChartTableDialog(const QString& title, QVector<ChartSheet> sheets, QWidget* parent);
    void setSheets(const QString& title, QVector<ChartSheet> sheets); ///< the same curve is shown if it is still there

Q_SIGNALS:
    void exportRequested();

private:
    void choose();

    QVector<ChartSheet> sheets_;
    QComboBox* sheet_ = nullptr;
    QTableView* table_ = nullptr;
    ChartTableModel* model_ = nullptr;
};

/// All sheets below one another as CSV: sheet, then its columns; 17 digits, so that reading gives the same numbers.
QByteArray chartCsv(const QVector<ChartSheet>& sheets);

} // namespace pha::ui
