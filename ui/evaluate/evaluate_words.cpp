// SPDX-License-Identifier: GPL-3.0-or-later
// What the evaluation panel shows of its work and its results.
#include "ui/controls/controls.h"
#include "ui/evaluate/ablation_table.h"
#include "ui/evaluate/evaluate_private.h"
#include "ui/evaluate/evaluations_model.h"
#include "ui/format.h"

#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSortFilterProxyModel>
#include <QStackedWidget>
#include <QTableView>

namespace pha::ui {

void EvaluatePanel::Private::showWeights()
{
    v.message->say(tr("Using the %1.").arg(describeWeights(weights))
            + (weights.note.isEmpty() ? QString() : QStringLiteral(" (%1)").arg(weights.note)),
        "small");
}

void EvaluatePanel::Private::emptyAblation()
{
    v.ablation->begin();
    v.ablationNote->setText(tr("Nats per token lost when a part is muted, in all layers or in one."));
}

void EvaluatePanel::Private::showKept()
{
    identity = session ? session->identity() : QString();
    if (session) v.ablation->setNetwork(session->file().config.model);
    emptyAblation();
    if (const auto known = ablations.find(identity); known != ablations.end()) { // who comes back finds its table
        for (const auto& cell : known->second.first.cells) v.ablation->set(cell);
        v.ablationNote->setText(known->second.second);
    }
    v.model->setRun(identity);
}

void EvaluatePanel::Private::showAblation(const Ablation& all)
{
    const auto& f = all.plain.figures;
    v.ablationNote->setText(
        counted(f.tokens, tr("Against %1 nats/token of the whole network: %2, %3 split, %4 token."),
            tr("Against %1 nats/token of the whole network: %2, %3 split, %4 tokens."))
            .arg(formatFixed(f.nll, 4), describeWeights(weights), fromUtf8(f.split), formatCount(f.tokens)));
    v.message->say(tr("The ablation table is complete."));
    if (session) ablations[identity] = { all, v.ablationNote->text() };
}

void EvaluatePanel::Private::showProgress(const ProgressEvent& e)
{
    const double part = e.total > 0 ? e.done / e.total : 0;
    if (jobs.size() > 1 || e.total > 0) {
        v.bar->setRange(0, 1000);
        v.bar->setValue(int(1000 * (double(done) + part) / double(std::max<std::size_t>(jobs.size(), 1))));
    }
    auto text = fromUtf8(e.what);
    if (e.total > 0)
        text += QStringLiteral(" %1/%2 %3")
                    .arg(formatCount(std::int64_t(e.done)), formatCount(std::int64_t(e.total)), fromUtf8(e.unit));
    if (jobs.size() > 1) text = tr("Evaluation %1 of %2: %3").arg(done + 1).arg(jobs.size()).arg(text);
    v.message->say(text);
}

void EvaluatePanel::Private::showRow()
{
    const auto index = v.sorted->mapToSource(v.table->currentIndex());
    const EvaluationRow* row = index.isValid() ? &v.model->row(index.row()) : nullptr;
    v.showRow(row);
    if (!row) return;
    v.source->setText(
        tr("%1, tokenizer %2, %3")
            .arg(fromUtf8(row->evaluation.data), fromUtf8(row->evaluation.tokenizer), describeWeights(row->weights)));
    v.source->setToolTip(plainToolTip(v.source->text()));
}

void EvaluatePanel::Private::showResults()
{
    const bool any = v.model->rowCount() > 0;
    v.tablePages->setCurrentIndex(any ? 1 : 0);
    for (auto* b : { v.copy, v.csv, v.forget }) b->setEnabled(any);
    if (any) {
        v.table->resizeColumnsToContents();
        const int widest = v.table->fontMetrics().averageCharWidth() * 34;
        if (v.table->columnWidth(EvaluationsModel::Note) > widest)
            v.table->setColumnWidth(EvaluationsModel::Note, widest);
        if (!v.table->currentIndex().isValid()) v.table->setCurrentIndex(v.sorted->index(0, 0));
    }
    showRow();
}

void EvaluatePanel::Private::showState()
{
    const bool busy = worker.busy();
    const bool can = canRun();
    v.pages->setCurrentIndex(can || busy || v.model->rowCount() > 0 ? 1 : 0);
    const auto problem = v.form->weights()->problem();
    v.empty.title->setText(!problem.isEmpty() ? tr("Weights deleted")
            : session                         ? tr("No weights yet")
                                              : tr("Nothing to evaluate yet"));
    v.empty.text->setText(!problem.isEmpty() ? problem
            : session ? tr("This run has no checkpoint. Start or resume its training, then press Run (Ctrl+Enter).")
                      : tr("Train a run or open one; then press Run (Ctrl+Enter)."));
    v.run->setEnabled(can && !busy);
    v.ablate->setEnabled(can && !busy && v.ablation->possible());
    v.stop->setEnabled(busy);
    v.bar->setVisible(busy);
    v.ablationCsv->setEnabled(!v.ablation->nothing());
}

} // namespace pha::ui
