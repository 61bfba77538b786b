// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/inspect_view.h"

#include "ui/controls/controls.h"
#include "ui/controls/folding_splitter.h"
#include "ui/controls/token_view.h"
#include "ui/controls/weights_box.h"
#include "ui/format.h"
#include "ui/inspect/activation_table.h"
#include "ui/inspect/cost_pane.h"
#include "ui/inspect/head_table.h"
#include "ui/inspect/lens_table.h"
#include "ui/inspect/look_legend.h"
#include "ui/inspect/map_grid.h"
#include "ui/inspect/map_view.h"
#include "ui/inspect/push_table.h"
#include "ui/inspect/reach_table.h"
#include "ui/inspect/weight_pane.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>
#include <QVBoxLayout>

#include <utility>

namespace pha::ui {

namespace {

QComboBox* lookChoice(
    QWidget* parent, const char* name, const QString& what, const QString& tip, const QStringList& entries, int letters)
{
    auto* box = new QComboBox(parent);
    box->setObjectName(QLatin1String(name));
    box->addItems(entries);
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(letters);
    box->setToolTip(plainToolTip(tip));
    box->setAccessibleName(what);
    return box;
}

} // namespace

InspectView::InspectView(QWidget* panel, std::function<Engine&()> engine)
{
    auto* layout = new QHBoxLayout(panel);
    layout->setContentsMargins(10, 10, 10, 10);
    auto* split = new FoldingSplitter(panel, "inspectSplitter");
    auto* left = splitter(Qt::Vertical, panel, "inspectTextSplitter");
    left->addWidget(buildPrompt(panel));
    left->addWidget(buildText(panel));
    left->setStretchFactor(1, 1);
    left->setSizes({ 150, 600 });
    tensors = new WeightPane(panel);
    costs = new CostPane(panel, std::move(engine));
    sides = new QStackedWidget(panel);
    sides->addWidget(left);
    sides->addWidget(tensors->list());
    sides->addWidget(costs->list());
    split->addWidget(sides);
    split->addWidget(buildTabs(panel));
    split->setStretchFactor(0, 2);
    split->setStretchFactor(1, 3);
    split->setWidths({ 300, 460 });
    layout->addWidget(split);
}

QWidget* InspectView::buildPrompt(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    auto* head = new QHBoxLayout;
    weights = new WeightsBox(frame);
    weights->setObjectName(QStringLiteral("inspectWeights"));
    take = pushButton(frame, "inspectTake", tr("From &playground"),
        tr("Look at the text that the playground wrote last, with its prompt."), "flat");
    head->addWidget(label(frame, tr("Text"), "heading"));
    head->addSpacing(8);
    head->addWidget(weights, 1);
    head->addStretch();
    layout->addLayout(head);
    prompt = new QPlainTextEdit(frame);
    prompt->setObjectName(QStringLiteral("inspectPrompt"));
    prompt->setPlaceholderText(tr("Type the text that the network shall read, then press Ctrl+Enter."));
    prompt->setToolTip(tr("The text that the network reads. Ctrl+Enter looks inside."));
    prompt->setAccessibleName(tr("Text to look at"));
    prompt->setTabChangesFocus(true);
    prompt->setMinimumHeight(prompt->fontMetrics().height() * 2 + 16);
    layout->addWidget(prompt, 1);
    look = pushButton(frame, "inspectLook", tr("&Look inside"),
        tr("Read the text and show what every part does (Ctrl+Enter). Works while the run trains."), "primary");
    look->setIcon(iconOnAccent(QStringLiteral("search")));
    stop = pushButton(frame, "inspectStop", {}, tr("Stop reading (Esc)"));
    stop->setAccessibleName(tr("Stop"));
    stop->setIcon(icon(QStringLiteral("stop")));
    auto* row = new QHBoxLayout;
    row->addWidget(look);
    row->addWidget(stop);
    row->addStretch();
    row->addWidget(take);
    layout->addLayout(row);
    message = new MessageLabel(frame, "inspectMessage");
    layout->addWidget(message);
    return frame;
}

QWidget* InspectView::buildText(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    auto* head = new QHBoxLayout;
    tint = lookChoice(frame, "inspectTint", tr("Colours of the tokens"),
        tr("What the colour behind each token shows: how much of it is read at the selected token in the selected map; "
           "which branch pushed it most, when it was predicted from the tokens before it; or how probable it was."),
        { tr("Where it looks"), tr("Which branch pushed it"), tr("Probability"), tr("No colours") }, 12);
    legend = new LookLegend(frame);
    legend->setObjectName(QStringLiteral("inspectLegend"));
    head->addWidget(label(frame, tr("Tokens"), "heading"));
    head->addSpacing(8);
    head->addWidget(tint, 1);
    head->addStretch();
    layout->addLayout(head);
    layout->addWidget(legend);

    pages = new QStackedWidget(frame);
    empty = emptyPage(frame);
    empty.text->setObjectName(QStringLiteral("inspectEmpty"));
    text = new TokenView(frame);
    text->setObjectName(QStringLiteral("inspectText"));
    text->setAccessibleName(tr("Tokens of the text"));
    enlargeText(text);
    pages->addWidget(empty.page);
    pages->addWidget(text);
    layout->addWidget(pages, 1);
    figures = steadyLabel(frame, "inspectFigures", 4);
    layout->addWidget(figures);
    return frame;
}

QWidget* InspectView::buildTabs(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    layout->setContentsMargins(12, 4, 12, 10);
    tabs = new QTabWidget(frame);
    tabs->setObjectName(QStringLiteral("inspectTabs"));
    tabs->setAccessibleName(tr("What is shown of the inside"));
    tabs->setDocumentMode(true);
    // Six stand side by side where the panel is narrow.
    tabs->setStyleSheet(QStringLiteral("QTabBar::tab { padding-left: 9px; padding-right: 9px; }"));
    tabs->setTabToolTip(tabs->addTab(buildMaps(), tr("Maps")), tr("Where each head and each state space looks"));
    tabs->setTabToolTip(tabs->addTab(buildPushes(), tr("Pushes")), tr("Which part made a token probable"));
    tabs->setTabToolTip(tabs->addTab(buildReach(), tr("Reach")),
        tr("How far back each part reads, what each head does, how long states remember"));
    tabs->setTabToolTip(tabs->addTab(buildLens(), tr("Layers")), tr("What the network would say after each layer"));
    tabs->setTabToolTip(tabs->addTab(tensors->page(), tr("Weights")),
        tr("How the numbers of every tensor are distributed, checkpoint by checkpoint"));
    tabs->setTabToolTip(
        tabs->addTab(costs->page(), tr("Costs")), tr("What each part costs, what it is worth, and a run without some"));
    layout->addWidget(tabs);
    return frame;
}

QWidget* InspectView::buildMaps()
{
    mapPages = new QStackedWidget;
    auto* none = new QWidget;
    auto* noneLayout = new QVBoxLayout(none);
    noMaps = label(none, {}, "muted");
    noMaps->setAlignment(Qt::AlignCenter);
    noMaps->setWordWrap(true);
    noneLayout->addWidget(noMaps);
    maps = splitter(Qt::Vertical, nullptr, "inspectMapSplitter");
    maps->setContentsMargins(0, 8, 0, 0);
    grid = new MapGrid(maps);
    grid->setObjectName(QStringLiteral("inspectGrid"));
    auto* large = new QWidget(maps);
    auto* layout = new QVBoxLayout(large);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    mapTitle = new ElidedLabel(large, {}, "heading");
    mapTitle->setObjectName(QStringLiteral("inspectMapTitle"));
    mapScale = new LookLegend(large);
    mapScale->setObjectName(QStringLiteral("inspectMapScale"));
    picture = pushButton(large, "inspectPicture", {}, tr("Save the large map as a picture"), "flat");
    picture->setIcon(icon(QStringLiteral("image")));
    map = new MapView(large);
    map->setObjectName(QStringLiteral("inspectMap"));
    readout = steadyLabel(large, "inspectReadout", 2);
    auto* head = new QHBoxLayout;
    head->addWidget(mapTitle, 1);
    head->addWidget(mapScale);
    head->addWidget(picture);
    mapScale->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    layout->addLayout(head);
    layout->addWidget(map, 1);
    layout->addWidget(readout);
    maps->addWidget(grid);
    maps->addWidget(large);
    maps->setStretchFactor(0, 2);
    maps->setStretchFactor(1, 3);
    mapPages->addWidget(none);
    mapPages->addWidget(maps);
    return mapPages;
}

QWidget* InspectView::buildPushes()
{
    auto* page = new QWidget;
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 10, 0, 0);
    pushesOf = lookChoice(page, "inspectPushesOf", tr("Whose pushes"),
        tr("The pushes of the selected token, or their mean over all tokens that were predicted."),
        { tr("Selected token"), tr("Mean over the text") }, 14);
    pushesCsv = pushButton(page, "inspectPushesCsv", tr("Export CSV"), tr("Save the pushes of every token"), "flat");
    auto* head = new QHBoxLayout;
    head->addWidget(pushesOf);
    head->addStretch();
    head->addWidget(pushesCsv);
    layout->addLayout(head);
    sum = steadyLabel(page, "inspectSum", 2);
    layout->addWidget(sum);
    pushes = new PushTable(page);
    pushes->setObjectName(QStringLiteral("inspectPushes"));
    layout->addWidget(pushes, 1);
    return page;
}

QWidget* InspectView::buildReach()
{
    auto* page = new QWidget;
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 10, 0, 0);
    reachOf = lookChoice(page, "inspectReachOf", tr("What the table shows"),
        tr("How far back each part reads; which places each head reads in the text, or in random tokens that come "
           "twice; "
           "or how long the states of state spaces remember."),
        { tr("How far back"), tr("Heads on the text"), tr("Heads on repeated tokens"), tr("Half-lives of states") },
        18);
    nameHeads = pushButton(page, "inspectNameHeads", tr("&Name the heads"),
        tr("Let the network read random tokens that come twice: what a head does then does not depend on the text. "
           "Works "
           "while the run trains; Esc stops it."));
    reachCsv = pushButton(page, "inspectReachCsv", tr("Export CSV"), tr("Save this table"), "flat");
    auto* head = new QHBoxLayout;
    head->addWidget(reachOf);
    head->addStretch();
    head->addWidget(reachCsv);
    layout->addLayout(head);
    reachSays = steadyLabel(page, "inspectReachSays", 3);
    layout->addWidget(reachSays);
    layout->addWidget(nameHeads, 0, Qt::AlignLeft);
    reach = new ReachTable(page);
    reach->setObjectName(QStringLiteral("inspectReach"));
    heads = new HeadTable(page);
    heads->setObjectName(QStringLiteral("inspectHeads"));
    memory = new MemoryTable(page);
    memory->setObjectName(QStringLiteral("inspectMemory"));
    reachPages = new QStackedWidget(page);
    for (auto* table : { static_cast<QWidget*>(reach), static_cast<QWidget*>(heads), static_cast<QWidget*>(memory) })
        reachPages->addWidget(table);
    layout->addWidget(reachPages, 1);
    return page;
}

QWidget* InspectView::buildLens()
{
    auto* page = new QWidget;
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 10, 0, 0);
    lensOf = lookChoice(page, "inspectLensOf", tr("What is shown of the layers"),
        tr("What each layer would say, in colours of how probable the token that came was after it, of how unsure it "
           "was, as the entropy of what it says, or of how far that is from what the whole network says; or how large "
           "the numbers are in the stream and in each part."),
        { tr("Probability"), tr("Unsureness"), tr("Distance from the end"), tr("Activations") }, 14);
    lensLegend = new LookLegend(page);
    lensLegend->setObjectName(QStringLiteral("inspectLensLegend"));
    lensCsv = pushButton(page, "inspectLensCsv", tr("Export CSV"), tr("Save this table"), "flat");
    auto* head = new QHBoxLayout;
    head->addWidget(lensOf);
    head->addStretch();
    head->addWidget(lensCsv);
    layout->addLayout(head);
    layout->addWidget(lensLegend);
    lens = new LensTable(page);
    lens->setObjectName(QStringLiteral("inspectLens"));
    activations = new ActivationTable(page);
    activations->setObjectName(QStringLiteral("inspectActivations"));
    lensPages = new QStackedWidget(page);
    lensPages->addWidget(lens);
    lensPages->addWidget(activations);
    layout->addWidget(lensPages, 1);
    lensReading = steadyLabel(page, "inspectLensReading", 3);
    layout->addWidget(lensReading);
    return page;
}

} // namespace pha::ui
