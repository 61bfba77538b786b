// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/run_figures.h"
#include "engine/run/seed_groups.h"
#include "ui/session/run_session.h"

#include <QAbstractTableModel>
#include <QPointer>
#include <QStringList>
#include <QVector>

#include <vector>

namespace pha::ui {

/// Runs as columns, their figures and settings as rows, counted by the code that `pha compare` uses. The baseline
/// stands first; every other run has a second column with what it gains or loses against it. Runs of a group, which
/// differ in the seed, share a column with their mean and range.
class CompareModel : public QAbstractTableModel {
    Q_OBJECT

public:
    explicit CompareModel(QObject* parent = nullptr);

    /// True: of a long run refresh() has more to take in.
    bool setSessions(const QVector<RunSession*>& sessions, RunSession* baseline);
    void setGrouped(bool on); ///< off: each run has a column of its own
    QVector<QVector<RunSession*>> groups() const; ///< of which there is a column each, in their order
    QString nameOf(int group) const; ///< "rates-lr0.001 (n = 3)"
    std::vector<const RunFigures*> runs() const; ///< the baseline first; valid until the next refresh
    void setShowEqual(bool on); ///< also the settings that all runs share
    /// Takes in what the runs have reported since, at most `rowsAtOnce` updates of each; cheap if that is nothing. True
    /// while there is more.
    bool refresh();
    static constexpr std::size_t rowsAtOnce = 200'000;
    /// Off: nobody sees the figures, and updates and evaluations wait for the next refresh after it is on again.
    void setWatched(bool on) { watched_ = on; }
    void restyle(); ///< colours of another theme
    int differences() const { return differences_; } ///< settings that are not the same
    bool isSection(int row) const;
    QString csv() const; ///< full precision

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

Q_SIGNALS:
    void groupsChanged(); ///< because the settings of a run became known

private:
    struct Column {
        QPointer<RunSession> session;
        RunFigures figures;
        std::int64_t generation = -1;
        bool counted = false; ///< the figures were made with the vocabulary that the run trains with
        std::size_t steps = 0, evals = 0, commands = 0; ///< rows of the history that were taken in
    };
    struct Row {
        enum class Kind { Section, Figure, Key } kind;
        const ComparedFigure* figure = nullptr;
        std::string key;
        QString label;
    };
    static bool completed(const Column& column);
    static bool settled(const RunSession& session);
    bool behind() const; ///< more has been reported than was taken in
    bool take(Column& column);
    void makeGroups();
    void makeRows();
    QString nameOf(const SeedGroup& group) const;
    QString namesOf(const SeedGroup& group) const;
    QString cell(const Row& row, const SeedGroup& group) const;
    QString spreadText(const ComparedFigure& figure, const SeedGroup& group) const;
    QString eachSeed(const Row& row, const SeedGroup& group) const;
    QStringList exact(const Row& row, const SeedGroup& group) const;
    std::optional<double> delta(const Row& row, const SeedGroup& group) const;
    QString deltaText(const Row& row, const SeedGroup& group) const;

    std::vector<Column> columns_; ///< the baseline first
    std::vector<SeedGroup> groups_; ///< that of the baseline first; they point into the columns
    std::vector<Row> rows_;
    std::size_t figures_ = 0; ///< rows of them
    bool showEqual_ = false, grouped_ = true, watched_ = true;
    int differences_ = 0;
};

} // namespace pha::ui
