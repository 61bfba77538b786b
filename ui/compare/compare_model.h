// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/run_figures.h"
#include "ui/run_session.h"

#include <QAbstractTableModel>
#include <QPointer>
#include <QStringList>
#include <QVector>

#include <vector>

namespace pha::ui {

/// Runs as columns, their figures and settings as rows, counted by the code that `pha compare` uses. The baseline
/// stands first; every other run has a second column with what it gains or loses against it.
class CompareModel : public QAbstractTableModel {
    Q_OBJECT

public:
    explicit CompareModel(QObject* parent = nullptr);

    void setSessions(const QVector<RunSession*>& sessions, RunSession* baseline);
    void setShowEqual(bool on); ///< also the settings that all runs share
    /// Takes in what the runs have reported since; cheap if that is nothing.
    void refresh();
    void restyle(); ///< colours of another theme
    int differences() const { return differences_; } ///< settings that are not the same
    bool isSection(int row) const;
    QString csv() const; ///< full precision

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Column {
        QPointer<RunSession> session;
        RunFigures figures;
        std::int64_t generation = -1;
        std::size_t steps = 0, evals = 0; ///< rows of the history that were taken in
    };
    struct Row {
        enum class Kind { Section, Figure, Key } kind;
        const ComparedFigure* figure = nullptr;
        std::string key;
        QString label;
    };
    static bool completed(const Column& column);
    std::vector<const RunFigures*> runs() const;
    bool take(Column& column);
    void makeRows();
    QString cell(const Row& row, const Column& column, bool exact) const;
    std::optional<double> delta(const Row& row, const Column& column) const;
    QString deltaText(const Row& row, const Column& column) const;

    std::vector<Column> columns_; ///< the baseline first
    std::vector<Row> rows_;
    std::size_t figures_ = 0; ///< rows of them
    bool showEqual_ = false;
    int differences_ = 0;
};

} // namespace pha::ui
