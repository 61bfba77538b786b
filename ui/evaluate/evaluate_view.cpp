// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/evaluate/evaluate_view.h"

#include "ui/controls/controls.h"
#include "ui/controls/figure_tile.h"
#include "ui/controls/folding_splitter.h"
#include "ui/controls/table_tools.h"
#include "ui/evaluate/ablation_table.h"
#include "ui/evaluate/evaluate_form.h"
#include "ui/evaluate/evaluations_model.h"
#include "ui/evaluate/recall_table.h"
#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"
#include "ui/mixer/branch_mixer.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSortFilterProxyModel>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>
#include <QTableView>
#include <QVBoxLayout>

namespace pha::ui {

namespace {

QString signedDelta(double value, int decimals)
{
    return (value > 0 ? QStringLiteral("+") : QString()) + formatFixed(value, decimals);
}

} // namespace

EvaluateView::EvaluateView(QWidget* panel)
{
    auto* layout = new QHBoxLayout(panel);
    layout->setContentsMargins(10, 10, 10, 10);
    layout->setSpacing(10);
    auto* split = new FoldingSplitter(panel, "evaluateSplitter");
    split->addWidget(buildControls(panel));

    pages = new QStackedWidget(panel);
    empty = emptyPage(panel);
    pages->addWidget(empty.page);
    auto* full = splitter(Qt::Vertical, panel, "evaluateResultSplitter");
    full->addWidget(buildResults(panel));
    full->addWidget(buildAnalysis(panel));
    full->setStretchFactor(0, 4);
    full->setStretchFactor(1, 5);
    full->setSizes({ 320, 310 });
    pages->addWidget(full);
    split->addWidget(pages);
    split->setStretchFactor(1, 1);
    split->setWidths({ 316, 900 });
    layout->addWidget(split);
}

QWidget* EvaluateView::buildControls(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    form = new EvaluateForm(frame);
    mixer = new BranchMixer(frame);
    mixer->setObjectName(QStringLiteral("evaluateMixer"));
    run = pushButton(frame, "evaluateRun", tr("&Run"),
        tr("Evaluate with these settings (Ctrl+Enter). With muted branches the unchanged network is evaluated too."),
        "primary");
    run->setIcon(iconOnAccent(QStringLiteral("play")));
    stop = pushButton(
        frame, "evaluateStop", tr("&Stop"), tr("Stop the evaluation (Esc). Results that are complete stay."));
    stop->setIcon(icon(QStringLiteral("stop")));
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(run, 1);
    buttons->addWidget(stop, 1);
    bar = new QProgressBar(frame);
    bar->setObjectName(QStringLiteral("evaluateProgress"));
    bar->setTextVisible(false);
    bar->setAccessibleName(tr("Progress of the evaluation"));
    // Keeps its room when it is not needed, so that nothing jumps.
    auto policy = bar->sizePolicy();
    policy.setRetainSizeWhenHidden(true);
    bar->setSizePolicy(policy);
    message = new MessageLabel(frame, "evaluateMessage");
    auto* line = new QFrame(frame);
    setRole(line, "separator");
    layout->addWidget(form);
    layout->addLayout(buttons);
    layout->addWidget(bar);
    layout->addWidget(message);
    layout->addWidget(line);
    layout->addWidget(mixer, 1);
    frame->setMinimumWidth(316);
    return frame;
}

QWidget* EvaluateView::buildResults(QWidget* panel)
{
    auto* box = new QWidget(panel);
    auto* layout = new QVBoxLayout(box);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    perplexity =
        new FigureTile(tr("Perplexity per token"), tr("exp of the mean cross entropy. Depends on the tokenizer."), box);
    words = new FigureTile(tr("Perplexity per word"),
        tr("Comparable between tokenizers: total cross entropy over the words of the original text."), box);
    bits = new FigureTile(tr("Bits per byte"),
        tr("Comparable between tokenizers: total cross entropy over the bytes of the original text."), box);
    nats = new FigureTile(tr("Nats per token"),
        tr("Mean cross entropy, and how far it is above the exact entropy of the text where that is known."), box);
    layout->addWidget(new TileRow({ perplexity, words, bits, nats }, box));

    auto* frame = new QFrame(box);
    auto* inner = card(frame);
    auto* head = new QHBoxLayout;
    source = new ElidedLabel(frame, {}, "small");
    source->setObjectName(QStringLiteral("evaluateSource"));
    copy = pushButton(
        frame, "evaluateCopy", tr("&Copy"), tr("Copy the selected rows, or all of them, as a table (Ctrl+C)."), "flat");
    csv = pushButton(
        frame, "evaluateCsv", tr("&Export CSV..."), tr("Save all results of this run with full precision."), "flat");
    forget =
        pushButton(frame, "evaluateClear", tr("C&lear"), tr("Remove the results of this run from the table."), "flat");
    head->addWidget(label(frame, tr("Results"), "heading"));
    head->addSpacing(8);
    head->addWidget(source, 1);
    for (auto* b : { copy, csv, forget }) head->addWidget(b);
    inner->addLayout(head);

    model = new EvaluationsModel(panel);
    sorted = new QSortFilterProxyModel(panel);
    sorted->setSourceModel(model);
    sorted->setSortRole(EvaluationsModel::SortRole);
    table = new QTableView(frame);
    table->setObjectName(QStringLiteral("evaluateTable"));
    table->setAccessibleName(tr("Results of evaluations, newest first"));
    table->setToolTip(tr("Select a result to see its figures above; Ctrl+C copies rows"));
    styleTable(table);
    makeCopyable(table);
    table->setModel(sorted);
    table->setSortingEnabled(true);
    table->horizontalHeader()->setSortIndicatorClearable(true);
    table->sortByColumn(-1, Qt::AscendingOrder);
    table->horizontalHeader()->setStretchLastSection(true);
    table->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    tablePages = new QStackedWidget(frame);
    auto* hint = label(frame,
        tr("Press Run (Ctrl+Enter) to measure the perplexity of this run.\nMute branches on the left first to see what "
           "they are worth."),
        "muted");
    hint->setAlignment(Qt::AlignCenter);
    hint->setWordWrap(true);
    tablePages->addWidget(hint);
    tablePages->addWidget(table);
    inner->addWidget(tablePages, 1);
    layout->addWidget(frame, 1);
    return box;
}

QWidget* EvaluateView::buildAnalysis(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* outer = card(frame);
    outer->setContentsMargins(12, 4, 12, 10);
    analysis = new QTabWidget(frame);
    analysis->setObjectName(QStringLiteral("evaluateAnalysis"));
    analysis->setAccessibleName(tr("Analysis"));
    analysis->setDocumentMode(true);
    const auto page = [this](const QString& name, const QString& tip) {
        auto* body = new QWidget(analysis);
        auto* layout = new QVBoxLayout(body);
        layout->setContentsMargins(0, 8, 0, 0);
        analysis->setTabToolTip(analysis->addTab(body, name), tip);
        return layout;
    };
    auto* worth = page(tr("What each branch is worth"), tr("Nats per token that are lost when a branch is muted"));
    auto* head = new QHBoxLayout;
    ablate = pushButton(frame, "evaluateAblation", tr("&Ablation table"),
        tr("Evaluate with every part muted in all layers and in each single layer, with the settings on the left. "
           "Changes in the mixer do not count."));
    ablationCsv = pushButton(
        frame, "evaluateAblationCsv", tr("E&xport CSV..."), tr("Save the ablation table with full precision."), "flat");
    head->addWidget(ablate);
    head->addStretch();
    head->addWidget(ablationCsv);
    ablation = new AblationTable(frame);
    ablation->setObjectName(QStringLiteral("evaluateAblationTable"));
    ablationNote = label(frame, tr("Nats per token lost when a part is muted, in all layers or in one."), "small");
    ablationNote->setObjectName(QStringLiteral("evaluateAblationNote"));
    ablationNote->setWordWrap(true);
    worth->addLayout(head);
    worth->addWidget(ablationNote);
    worth->addWidget(ablation, 1);

    auto* memory = page(tr("Recall by distance"), tr("Facts that are recalled, by how long ago they were stated"));
    recall = new RecallTable(frame);
    recall->setObjectName(QStringLiteral("evaluateRecall"));
    recallNote = label(frame, {}, "small");
    recallNote->setWordWrap(true);
    memory->addWidget(recallNote);
    memory->addWidget(recall, 1);
    outer->addWidget(analysis);
    return frame;
}

void EvaluateView::showRow(const EvaluationRow* row)
{
    if (!row) {
        for (auto* tile : { perplexity, words, bits, nats }) tile->set(QStringLiteral("\u2013"), QStringLiteral(" "));
        source->clear();
        recall->setRecall({});
        recallNote->setText(tr("Shown for corpora with questions, such as the built-in stories."));
        return;
    }
    const auto& f = row->evaluation.figures;
    if (row->deltaPerplexity) {
        const auto text = tr("%1 against unchanged").arg(signedDelta(*row->deltaPerplexity, 2));
        perplexity->set(formatNumber(f.perplexity, 5), text, *row->deltaPerplexity > 0 ? "error" : "good");
    } else {
        perplexity->set(formatNumber(f.perplexity, 5),
            counted(f.tokens, tr("%1 token"), tr("%1 tokens")).arg(formatCount(f.tokens)));
    }
    words->set(f.words > 0 ? formatNumber(f.wordPerplexity, 5) : QStringLiteral("\u2013"),
        counted(f.words, tr("%1 word"), tr("%1 words")).arg(formatCount(f.words)));
    bits->set(f.bytes > 0 ? formatFixed(f.bitsPerByte, 4) : QStringLiteral("\u2013"),
        counted(f.bytes, tr("%1 byte"), tr("%1 bytes")).arg(formatCount(f.bytes)));
    nats->set(formatFixed(f.nll, 4),
        f.floorNll ? tr("%1 over the floor %2").arg(formatFixed(f.nll - *f.floorNll, 4), formatFixed(*f.floorNll, 4))
                   : tr("floor not known"));
    recall->setRecall(row->evaluation.recall);
    const auto& r = row->evaluation.recall;
    recallNote->setText(r.bins.empty() ? tr("This text has no questions whose answers can be checked.")
                                       : tr("%1 of the facts are recalled; a guess would get %2.")
                                             .arg(formatPercent(r.accuracy), formatPercent(r.chance)));
}

} // namespace pha::ui
