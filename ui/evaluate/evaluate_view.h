// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/controls/controls.h"

#include <QCoreApplication>
#include <QWidget>

class QProgressBar;
class QPushButton;
class QSortFilterProxyModel;
class QStackedWidget;
class QTabWidget;
class QTableView;

namespace pha::ui {

class AblationTable;
class BranchMixer;
class EvaluateForm;
struct EvaluationRow;
class EvaluationsModel;
class FigureTile;
class MessageLabel;
class RecallTable;

/// The widgets of the evaluation panel and where they are. What they do is the panel's business.
struct EvaluateView {
    Q_DECLARE_TR_FUNCTIONS(EvaluateView)
public:
    explicit EvaluateView(QWidget* panel);
    void showRow(const EvaluationRow* row); ///< in the tiles and the recall table; null: nothing to show

    EvaluateForm* form;
    BranchMixer* mixer;
    QPushButton *run, *stop, *ablate, *copy, *csv, *ablationCsv, *forget;
    QProgressBar* bar;
    QLabel *source, *ablationNote, *recallNote;
    EmptyPage empty;
    MessageLabel* message;
    FigureTile *perplexity, *words, *bits, *nats;
    EvaluationsModel* model;
    QSortFilterProxyModel* sorted;
    QTableView* table;
    AblationTable* ablation;
    RecallTable* recall;
    QTabWidget* analysis; ///< 0: ablation, 1: recall
    QStackedWidget* pages; ///< 0: why there is nothing, 1: results
    QStackedWidget* tablePages; ///< 0: no results yet, 1: the table

private:
    QWidget* buildControls(QWidget* panel);
    QWidget* buildResults(QWidget* panel);
    QWidget* buildAnalysis(QWidget* panel);
};

} // namespace pha::ui
