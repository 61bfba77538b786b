// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/evaluate/evaluate_panel.h"

#include "ui/controls/controls.h"
#include "ui/controls/panel_keys.h"
#include "ui/controls/table_tools.h"
#include "ui/evaluate/ablation_table.h"
#include "ui/evaluate/evaluate_private.h"
#include "ui/evaluate/evaluations_model.h"

#include <QClipboard>
#include <QFileDialog>
#include <QGuiApplication>
#include <QKeyEvent>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSortFilterProxyModel>
#include <QTabWidget>
#include <QTableView>

namespace pha::ui {

EvaluatePanel::Private::Private(EvaluatePanel* panel, std::function<Engine&()> engine)
    : q(panel)
    , v(panel)
    , worker(nullptr, std::move(engine))
{
    connect(v.run, &QPushButton::clicked, q, &EvaluatePanel::run);
    connect(v.stop, &QPushButton::clicked, q, &EvaluatePanel::stop);
    connect(v.ablate, &QPushButton::clicked, q, &EvaluatePanel::runAblation);
    connect(v.copy, &QPushButton::clicked, &guard,
        [this] { QGuiApplication::clipboard()->setText(selectedText(*v.table)); });
    connect(v.csv, &QPushButton::clicked, &guard, [this] { save(v.model->csv()); });
    connect(v.ablationCsv, &QPushButton::clicked, &guard, [this] { save(v.ablation->csv()); });
    connect(v.forget, &QPushButton::clicked, &guard, [this] {
        v.model->clear();
        showResults();
    });
    connect(v.form->weights(), &QComboBox::currentIndexChanged, &guard, [this] {
        v.mixer->setLearned(v.form->weights()->mixing());
        showState();
    });
    connect(v.table->selectionModel(), &QItemSelectionModel::currentRowChanged, &guard, [this] { showRow(); });
    connect(&worker, &ModelWorker::busyChanged, &guard, [this] { showState(); });
    connect(&worker, &ModelWorker::weightsReady, &guard, [this](const WeightsInfo& w) {
        weights = w;
        showWeights();
    });
    connect(&worker, &ModelWorker::progress, &guard, [this](const ProgressEvent& e) { showProgress(e); });
    connect(&worker, &ModelWorker::inspected, &guard, [this](const ModelReport& report) {
        setShape(mixShape(report.config.model));
        v.ablation->setNetwork(report.config.model);
        v.mixer->setLearned(report.mixing);
    });
    connect(&worker, &ModelWorker::evaluated, &guard, [this](int index, const Evaluation& e) { receive(index, e); });
    connect(&worker, &ModelWorker::cell, &guard, [this](const AblationCell& cell) { v.ablation->set(cell); });
    connect(&worker, &ModelWorker::ablated, &guard, [this](const Ablation& all) { showAblation(all); });
    connect(&worker, &ModelWorker::failed, &guard, [this](const QString& text) { v.message->say(text, "error"); });
}

void EvaluatePanel::Private::follow(RunSession* s)
{
    session = s;
    mixingSeen = std::size_t(-1);
    setShape(s ? mixShape(*s) : MixShape {});
    showKept();
    v.mixer->setVisible(s);
    v.form->setSession(s);
    v.message->say({});
    if (s) {
        connect(s, &RunSession::changed, &guard, [this] { update(); });
        connect(s, &RunSession::stateChanged, &guard, [this] {
            mixingSeen = std::size_t(-1); // live weights may have given way to a checkpoint
            if (session->identity() != identity) { // its job has written run.json, or another run took its folder
                worker.release();
                showKept();
                showResults();
            }
            update();
            showState();
        });
    }
    update();
    showResults();
    showState();
}

void EvaluatePanel::Private::update()
{
    if (!session) return;
    if (const auto seen = session->history().mixing.size(); seen != mixingSeen && !worker.busy()) {
        mixingSeen = seen;
        if (v.mixer->branches().isEmpty()) setShape(mixShape(*session));
        v.mixer->setLearned(v.form->weights()->mixing());
    }
    if (v.run->isEnabled() != canRun() && !worker.busy()) showState();
}

void EvaluatePanel::Private::refuse()
{
    showState();
    v.message->say(v.empty.text->text(), "warning");
}

void EvaluatePanel::Private::start(std::vector<EvaluateOptions> options, bool forAblation)
{
    jobs = std::move(options);
    done = 0;
    plain.reset();
    v.message->say(tr("Getting the weights\u2026"));
    v.bar->setRange(0, 0);
    if (forAblation)
        worker.ablate(v.form->weights()->source(), jobs.front());
    else
        worker.evaluate(v.form->weights()->source(), jobs);
    showState();
}

void EvaluatePanel::Private::receive(int index, const Evaluation& evaluation)
{
    done = index + 1;
    v.bar->setRange(0, 1000);
    v.bar->setValue(int(1000 * done / int(jobs.size())));
    const auto& mix = jobs[std::size_t(index)].mix;
    const auto& f = evaluation.figures;
    EvaluationRow row { evaluation, weights, mix, {}, {} };
    if (mix.empty()) plain = f;
    if (!mix.empty() && plain) {
        row.deltaNats = f.nll - plain->nll;
        row.deltaPerplexity = f.perplexity - plain->perplexity;
    }
    if (done == int(jobs.size())) showWeights(); // instead of the last state of its progress
    const int at = v.model->add(row);
    showResults();
    v.table->setCurrentIndex(v.sorted->mapFromSource(v.model->index(at, 0)));
    showRow();
}

void EvaluatePanel::Private::save(const QString& text)
{
    const auto path = q->askForFile(q);
    if (!path.isEmpty()) v.message->save(path, text.toUtf8());
}

EvaluatePanel::EvaluatePanel(QWidget* parent, std::function<Engine&()> engine)
    : QWidget(parent)
    , askForFile([](QWidget* over) {
        return QFileDialog::getSaveFileName(
            over, tr("Export"), QStringLiteral("evaluations.csv"), tr("CSV files (*.csv)"));
    })
{
    d_ = std::make_unique<Private>(this, std::move(engine)); // not earlier: building it sends events here
    setObjectName(QStringLiteral("evaluatePanel"));
    setAccessibleName(tr("Evaluation"));
    d_->follow(nullptr);
}

EvaluatePanel::~EvaluatePanel() = default;

void EvaluatePanel::setSession(RunSession* session)
{
    if (session == d_->session && session) return;
    if (d_->session) disconnect(d_->session, nullptr, &d_->guard, nullptr);
    const bool stopped = d_->worker.busy();
    d_->worker.release();
    d_->follow(session);
    if (stopped)
        d_->v.message->say(
            tr("Another run was selected: the evaluation was stopped. Run (Ctrl+Enter) begins one of this run."),
            "warning");
}

void EvaluatePanel::run()
{
    if (busy()) return; // Ctrl+Enter once more is no reason to lose what has been done
    if (!d_->canRun()) return d_->refuse();
    auto options = d_->v.form->options();
    std::vector<EvaluateOptions> jobs { options };
    options.mix = d_->v.mixer->changes();
    if (!options.mix.empty()) jobs.push_back(options);
    d_->start(std::move(jobs), false);
}

void EvaluatePanel::runAblation()
{
    if (!d_->canRun()) return d_->refuse();
    auto options = d_->v.form->options();
    options.recall = false;
    d_->emptyAblation();
    d_->v.analysis->setCurrentIndex(0);
    d_->start({ options }, true);
}

void EvaluatePanel::stop()
{
    if (!d_->worker.busy()) return;
    d_->worker.stop();
    d_->v.message->say(tr("Stopped."));
}

QString EvaluatePanel::resultsCsv() const { return d_->v.model->csv(); }

bool EvaluatePanel::busy() const { return d_->worker.busy(); }

bool EvaluatePanel::event(QEvent* event)
{
    return claimPanelKey(event, d_ && d_->worker.busy()) || QWidget::event(event);
}

void EvaluatePanel::keyPressEvent(QKeyEvent* event)
{
    if (isRunKey(*event))
        run();
    else if (event->key() == Qt::Key_Escape && d_->worker.busy())
        stop();
    else
        QWidget::keyPressEvent(event);
}

void EvaluatePanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    d_->v.form->weights()->refresh();
}

} // namespace pha::ui
