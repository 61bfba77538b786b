// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/work/model_worker.h"

#include <QAbstractTableModel>

#include <map>
#include <optional>
#include <vector>

namespace pha::ui {

/// One evaluation as the table shows it.
struct EvaluationRow {
    Evaluation evaluation;
    WeightsInfo weights;
    std::vector<MixOverride> mix;
    std::optional<double> deltaNats, deltaPerplexity; ///< against the same weights unchanged
    bool sameAs(const EvaluationRow& other) const; ///< would only repeat it
};

/// The evaluations of one run, newest first. Those of the other runs are kept until the model goes.
class EvaluationsModel : public QAbstractTableModel {
    Q_OBJECT

public:
    enum Column {
        Step,
        SplitName,
        Nats,
        DeltaNats,
        Perplexity,
        DeltaPerplexity,
        WordPerplexity,
        BitsPerByte,
        Gap,
        Note,
        Floor,
        Tokens,
        Context,
        Stride,
        Seconds,
        Weights,
        ColumnCount
    }; ///< what one looks for first comes first
    static constexpr int SortRole = Qt::UserRole; ///< numbers as numbers

    using QAbstractTableModel::QAbstractTableModel;
    void setRun(const QString& run); ///< any text that tells runs apart
    int add(const EvaluationRow& row); ///< returns its row: 0, or that of an equal one
    const EvaluationRow& row(int row) const { return rows().at(std::size_t(row)); }
    void clear(); ///< of the run shown
    QString csv() const; ///< full precision, machine-readable headings

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    const std::vector<EvaluationRow>& rows() const;
    static QVariant value(const EvaluationRow& row, int column);
    static QString text(const EvaluationRow& row, int column);

    QString run_;
    std::map<QString, std::vector<EvaluationRow>> all_;
};

} // namespace pha::ui
