// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_table.h"

#include "engine/run/run_export.h"
#include "ui/format.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QSignalBlocker>
#include <QTableView>
#include <QTimer>
#include <QVBoxLayout>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace pha::ui {

ChartTableModel::ChartTableModel(QObject* parent)
    : QAbstractTableModel(parent)
{
}

void ChartTableModel::setSheet(ChartSheet sheet)
{
    beginResetModel();
    sheet_ = std::move(sheet);
    rows_ = sheet_.rows ? sheet_.rows() : 0;
    endResetModel();
}

void ChartTableModel::refresh()
{
    const int rows = sheet_.rows ? sheet_.rows() : 0;
    // A curve may have been drawn anew, up to as many points.
    if (rows >= rows_ && rows_ > 0) Q_EMIT dataChanged(index(0, 0), index(rows_ - 1, columnCount() - 1));
    if (rows > rows_) {
        beginInsertRows({}, rows_, rows - 1);
        rows_ = rows;
        endInsertRows();
    } else if (rows < rows_) { // the run was rewound, or another axis was chosen
        beginResetModel();
        rows_ = rows;
        endResetModel();
    }
}

int ChartTableModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : rows_; }

int ChartTableModel::columnCount(const QModelIndex& parent) const
{
    return parent.isValid() ? 0 : int(sheet_.columns.size());
}

QVariant ChartTableModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid()) return {};
    if (role == Qt::TextAlignmentRole) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (role != Qt::DisplayRole || index.row() >= sheet_.rows()) return {};
    auto cell = sheet_.cell(index.row(), index.column());
    if (cell.typeId() != QMetaType::Double) return cell;
    const double value = cell.toDouble();
    if (!std::isfinite(value)) return tr("not finite");
    return value == std::floor(value) && std::abs(value) < 1e15 ? formatCount(std::llround(value))
                                                                : QString::number(value, 'g', 8);
}

QVariant ChartTableModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (role != Qt::DisplayRole) return {};
    if (orientation == Qt::Vertical) return section + 1;
    return section < sheet_.columns.size() ? sheet_.columns[section] : QVariant();
}

ChartTableDialog::ChartTableDialog(const QString& title, QVector<ChartSheet> sheets, QWidget* parent)
    : QDialog(parent)
    , sheet_(new QComboBox)
    , table_(new QTableView)
    , model_(new ChartTableModel(this))
{
    setObjectName(QStringLiteral("chartTableDialog"));
    setAttribute(Qt::WA_DeleteOnClose);
    sheet_->setObjectName(QStringLiteral("sheet"));
    sheet_->setAccessibleName(tr("Curve"));
    sheet_->setToolTip(tr("Curve whose points are listed"));
    table_->setObjectName(QStringLiteral("table"));
    table_->setAccessibleName(tr("Points of the curve"));
    table_->setToolTip(tr("Every point of the curve; Ctrl+C copies the chosen cell"));
    table_->setModel(model_);
    table_->setAlternatingRowColors(true);
    table_->setEditTriggers(QAbstractItemView::NoEditTriggers);
    table_->setTabKeyNavigation(false); // Tab leaves the table, the arrows move in it
    table_->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);

    auto* label = new QLabel(tr("&Curve:"));
    label->setBuddy(sheet_);
    auto* top = new QHBoxLayout;
    top->addWidget(label);
    top->addWidget(sheet_, 1);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close);
    buttons->button(QDialogButtonBox::Close)->setObjectName(QStringLiteral("closeTable"));
    buttons->button(QDialogButtonBox::Close)->setToolTip(tr("Close the table (Escape)"));
    auto* save = buttons->addButton(tr("&Save as CSV…"), QDialogButtonBox::ActionRole);
    save->setObjectName(QStringLiteral("saveCsv"));
    save->setToolTip(tr("Write the points of all curves of this chart"));
    auto* layout = new QVBoxLayout(this);
    layout->addLayout(top);
    layout->addWidget(table_, 1);
    layout->addWidget(buttons);
    resize(480, 560);

    connect(sheet_, &QComboBox::currentIndexChanged, this, &ChartTableDialog::choose);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(save, &QPushButton::clicked, this, &ChartTableDialog::exportRequested);
    auto* timer = new QTimer(this); // a table need not follow each frame
    timer->setInterval(500);
    connect(timer, &QTimer::timeout, model_, &ChartTableModel::refresh);
    timer->start();
    setSheets(title, std::move(sheets));
}

void ChartTableDialog::setSheets(const QString& title, QVector<ChartSheet> sheets)
{
    setWindowTitle(tr("%1: data").arg(title));
    const auto chosen = sheet_->currentText();
    sheets_ = std::move(sheets);
    {
        const QSignalBlocker quiet(sheet_);
        sheet_->clear();
        for (const auto& sheet : sheets_) sheet_->addItem(sheet.name);
        if (sheet_->count() > 0) sheet_->setCurrentIndex(std::max(0, sheet_->findText(chosen)));
    }
    choose();
}

void ChartTableDialog::choose()
{
    const int index = sheet_->currentIndex();
    model_->setSheet(index >= 0 && index < sheets_.size() ? sheets_[index] : ChartSheet {});
}

QByteArray chartCsv(const QVector<ChartSheet>& sheets)
{
    const auto quoted = [](const QString& text) { return QByteArray::fromStdString(csvCell(text.toStdString())); };
    QByteArray csv;
    const auto write = [&csv](double value) {
        if (!std::isfinite(value)) {
            csv += "nan";
            return;
        }
        std::array<char, 32> text;
        const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 17);
        csv.append(text.data(), end.ptr - text.data());
    };
    QStringList header;
    std::vector<double> numbers;
    for (const auto& sheet : sheets) {
        if (sheet.columns != header) { // sheets of one shape share one header, so that the whole is one table
            header = sheet.columns;
            csv += "curve";
            for (const auto& column : header) csv += ',' + quoted(column);
            csv += '\n';
        }
        const auto name = quoted(sheet.name);
        const int rows = sheet.rows();
        numbers.assign(std::size_t(header.size()), 0);
        for (int row = 0; row < rows; ++row) {
            csv += name;
            if (sheet.line) {
                sheet.line(row, numbers);
                for (const double value : numbers) {
                    csv += ',';
                    write(value);
                }
                csv += '\n';
                continue;
            }
            for (int column = 0; column < header.size(); ++column) {
                const auto cell = sheet.cell(row, column);
                csv += ',';
                if (cell.typeId() == QMetaType::Double)
                    write(cell.toDouble());
                else
                    csv += quoted(cell.toString());
            }
            csv += '\n';
        }
    }
    return csv;
}

} // namespace pha::ui
