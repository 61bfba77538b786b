// SPDX-License-Identifier: GPL-3.0-or-later
// What in the panel acts on what.
#include "ui/controls/controls.h"
#include "ui/controls/token_view.h"
#include "ui/controls/weights_box.h"
#include "ui/format.h"
#include "ui/inspect/activation_table.h"
#include "ui/inspect/cost_pane.h"
#include "ui/inspect/inspect_private.h"
#include "ui/inspect/lens_table.h"
#include "ui/inspect/look_legend.h"
#include "ui/inspect/map_grid.h"
#include "ui/inspect/map_view.h"
#include "ui/inspect/weight_pane.h"
#include "ui/look/theme.h"

#include <QComboBox>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QStackedWidget>
#include <QTabWidget>

namespace pha::ui {

void InspectPanel::Private::connectControls()
{
    connect(v.look, &QPushButton::clicked, q, &InspectPanel::look);
    connect(v.stop, &QPushButton::clicked, q, &InspectPanel::stop);
    connect(v.weights, &QComboBox::currentIndexChanged, &guard, [this] { showState(); });
    connect(v.take, &QPushButton::clicked, &guard, [this] { takeOther(); });
    connect(v.prompt, &QPlainTextEdit::textChanged, &guard, [this] {
        if (v.prompt->toPlainText() != proposed) proposed = QString();
    });
    connect(v.picture, &QPushButton::clicked, q, &InspectPanel::exportImage);
    connect(v.pushesCsv, &QPushButton::clicked, &guard,
        [this] { save(QStringLiteral("pushes.csv"), q->pushesCsv().toUtf8()); });
    connect(v.reachOf, &QComboBox::currentIndexChanged, &guard, [this] { showReach(); });
    connect(v.nameHeads, &QPushButton::clicked, &guard, [this] { nameHeads(); });
    connect(v.reachCsv, &QPushButton::clicked, &guard, [this] {
        const QString names[] { QStringLiteral("reach.csv"), QStringLiteral("heads.csv"),
            QStringLiteral("heads-repeated.csv"), QStringLiteral("half-lives.csv") };
        save(names[v.reachOf->currentIndex()], q->reachCsv().toUtf8());
    });
    connect(v.lensCsv, &QPushButton::clicked, &guard, [this] {
        save(showsActivations() ? QStringLiteral("activations.csv") : QStringLiteral("layers.csv"),
            q->lensCsv().toUtf8());
    });
    connect(v.lensOf, &QComboBox::currentIndexChanged, &guard, [this](int index) {
        v.lensPages->setCurrentIndex(showsActivations() ? 1 : 0);
        v.lensLegend->setVisible(!showsActivations());
        if (!showsActivations()) v.lens->setTint(LensTable::Tint(index));
        showLens();
        showLensLegend();
    });
    connect(v.tint, &QComboBox::currentIndexChanged, &guard, [this] { paintTokens(); });
    connect(v.pushesOf, &QComboBox::currentIndexChanged, &guard, [this] { showSum(); });
    connect(&Theme::instance(), &Theme::changed, &guard, [this] {
        paintTokens();
        showReading(); // its scale has colours too
        showLensLegend();
    });
}

void InspectPanel::Private::connectTokens()
{
    connect(v.text, &TokenView::currentChanged, &guard, [this](int index) {
        if (index >= 0)
            select(index);
        else
            v.text->setCurrent(token); // there is always one that is read
    });
    connect(v.text, &TokenView::hovered, &guard, [this](int index) {
        showTip(index);
        v.map->setKey(index <= token ? index : -1);
        showReading();
    });
    connect(v.grid, &MapGrid::selectedChanged, &guard, [this](int index) { showMap(index); });
    connect(v.grid, &MapGrid::hovered, &guard, [this](int index) { showMap(index < 0 ? v.grid->selected() : index); });
    connect(v.lens, &LensTable::chosen, &guard, [this](int index) {
        if (index < tokens()) select(index);
        showLens();
    });
    connect(v.activations, &ActivationTable::rowChosen, &guard, [this] { showLens(); });
    connect(v.activations, &QTableWidget::activated, &guard, [this] { select(v.activations->tokenOfLargest()); });
    connect(v.map, &MapView::tokenChosen, &guard, [this](int index) { select(index); });
    connect(v.map, &MapView::keyChanged, &guard, [this] { showReading(); });
    connect(v.map, &MapView::pointed, &guard, [this](int at, int key) {
        if (at < 0) return showReading();
        v.readout->setText(readingAt(at, key));
    });
}

void InspectPanel::Private::connectWorker()
{
    connect(&worker, &ModelWorker::busyChanged, &guard, [this] { showState(); });
    connect(&worker, &ModelWorker::weightsReady, &guard, [this](const WeightsInfo& w) {
        weights = w;
        v.message->say(w.note.isEmpty() ? tr("Reading\u2026") : w.note, w.note.isEmpty() ? "small" : "warning");
    });
    connect(
        &worker, &ModelWorker::progress, &guard, [this](const ProgressEvent& e) { v.message->say(fromUtf8(e.what)); });
    connect(&worker, &ModelWorker::looked, &guard, [this](const LookPtr& view) { receive(view); });
    connect(&worker, &ModelWorker::headsTested, &guard, [this](const HeadTestPtr& result) { receive(result); });
    connect(&worker, &ModelWorker::failed, &guard, [this](const QString& text) { v.message->say(text, "error"); });
}

void InspectPanel::Private::connectWeights()
{
    connect(v.costs, &CostPane::pruneRequested, q, &InspectPanel::pruneRequested);
    connect(v.tabs, &QTabWidget::currentChanged, &guard, [this] {
        v.sides->setCurrentIndex(showsWeights() ? 1 : showsCosts() ? 2 : 0);
        v.tensors->setActive(showsWeights() && q->isVisible());
        v.costs->setActive(showsCosts() && q->isVisible());
    });
}

bool InspectPanel::Private::showsWeights() const { return v.tabs->currentWidget() == v.tensors->page(); }

bool InspectPanel::Private::showsCosts() const { return v.tabs->currentWidget() == v.costs->page(); }

bool InspectPanel::Private::busy() const { return showsCosts() ? v.costs->busy() : worker.busy(); }

} // namespace pha::ui
