// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/playground/playground_view.h"

#include "ui/controls/controls.h"
#include "ui/controls/folding_splitter.h"
#include "ui/controls/token_view.h"
#include "ui/controls/weights_box.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"
#include "ui/mixer/branch_mixer.h"
#include "ui/playground/sampling_form.h"
#include "ui/playground/token_popup.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>
#include <QToolButton>
#include <QVBoxLayout>

namespace pha::ui {

namespace {

QPushButton* button(QWidget* parent, const char* name, const QString& text, const QString& iconName, const QString& tip,
    const char* role = nullptr)
{
    auto* b = pushButton(parent, name, text, tip, role);
    if (!iconName.isEmpty()) b->setIcon(icon(iconName));
    if (text.isEmpty()) b->setAccessibleName(tip.section(QStringLiteral(" ("), 0, 0));
    return b;
}

} // namespace

PlaygroundView::PlaygroundView(QWidget* panel)
{
    auto* layout = new QHBoxLayout(panel);
    layout->setContentsMargins(10, 10, 10, 10);
    auto* split = new FoldingSplitter(panel, "playgroundSplitter");
    auto* left = splitter(Qt::Vertical, panel, "playgroundTextSplitter");
    left->addWidget(buildPrompt(panel));
    texts = new FoldingSplitter(panel, "playgroundTexts");
    texts->setHandleWidth(8);
    texts->addWidget(buildText(panel));
    left->addWidget(texts);
    left->setStretchFactor(1, 1);
    left->setSizes({ 200, 570 });
    split->addWidget(left);
    side = buildSide(panel);
    split->addWidget(side);
    split->setStretchFactor(0, 1);
    split->setWidths({ 900, 336 });
    layout->addWidget(split);
    popup = new TokenPopup(panel);
}

QWidget* PlaygroundView::buildPrompt(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    auto* head = new QHBoxLayout;
    prompts = button(frame, "playgroundPrompts", tr("&Earlier prompts"), {},
        tr("Prompts that were used before, newest first."), "flat");
    promptMenu = new QMenu(prompts);
    prompts->setIcon(icon(QStringLiteral("chevron-down")));
    prompts->setLayoutDirection(Qt::RightToLeft); // the icon last
    QObject::connect(prompts, &QPushButton::clicked, promptMenu,
        [this] { promptMenu->popup(prompts->mapToGlobal(prompts->rect().bottomLeft())); });
    weights = new WeightsBox(frame);
    weights->setObjectName(QStringLiteral("playgroundWeights"));
    weights->setMinimumContentsLength(10);
    head->addWidget(label(frame, tr("Prompt"), "heading"));
    head->addSpacing(8);
    head->addWidget(weights, 1);
    head->addStretch();
    head->addWidget(prompts);
    layout->addLayout(head);

    prompt = new QPlainTextEdit(frame);
    prompt->setObjectName(QStringLiteral("playgroundPrompt"));
    prompt->setPlaceholderText(tr("Type what the network shall continue, then press Ctrl+Enter."));
    prompt->setToolTip(tr("The text that the network continues. Ctrl+Enter generates."));
    prompt->setAccessibleName(tr("Prompt"));
    prompt->setTabChangesFocus(true);
    prompt->setMinimumHeight(prompt->fontMetrics().height() * 2 + 16);
    layout->addWidget(prompt, 1);

    generate = button(frame, "playgroundGenerate", tr("&Generate"), {},
        tr("Write on from the prompt (Ctrl+Enter). Works while the run trains."), "primary");
    generate->setIcon(iconOnAccent(QStringLiteral("play")));
    stop = button(
        frame, "playgroundStop", tr("&Stop"), QStringLiteral("stop"), tr("Stop writing (Esc). The text so far stays."));
    carryOn = button(frame, "playgroundContinue", tr("&Continue"), {}, tr("Write on from the end of the text below."));
    message = new MessageLabel(frame, "playgroundMessage", 1);
    auto* row = new QHBoxLayout;
    row->addWidget(generate);
    row->addWidget(stop);
    row->addWidget(carryOn);
    row->addStretch();
    layout->addLayout(row);
    layout->addWidget(message);
    return frame;
}

QWidget* PlaygroundView::buildText(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    auto* head = new QHBoxLayout;
    tint = new QComboBox(frame);
    tint->setObjectName(QStringLiteral("playgroundTint"));
    for (const auto& name : { tr("Probability"), tr("Surprise"), tr("Entropy"), tr("No colours") }) tint->addItem(name);
    tint->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    tint->setMinimumContentsLength(7);
    tint->setToolTip(tr("What the colour behind each token shows. Point at a token, or walk to it with the arrow keys "
                        "and press Enter, for its alternatives."));
    tint->setAccessibleName(tr("Colours of the tokens"));
    undo = button(
        frame, "playgroundUndo", {}, QStringLiteral("undo"), tr("Back to the text shown before (Ctrl+Z)"), "flat");
    redo = button(frame, "playgroundRedo", {}, QStringLiteral("redo"), tr("Forward again (Ctrl+Shift+Z)"), "flat");
    copy = button(frame, "playgroundCopy", {}, QStringLiteral("copy"),
        tr("Copy the whole text (prompt and continuation)"), "flat");
    text = new TokenView(frame);
    text->setObjectName(QStringLiteral("playgroundText"));
    legend = new TintLegend(&text->tint(), frame);
    legend->setObjectName(QStringLiteral("playgroundLegend"));
    head->addWidget(label(frame, tr("Text"), "heading"));
    head->addSpacing(8);
    head->addWidget(tint);
    compare = toolButton(frame, "playgroundCompare", tr("A | B"),
        tr("Write with a second network beside this one, from one prompt with one seed, and mark where they part"),
        true);
    head->addStretch();
    head->addWidget(compare);
    for (auto* b : { undo, redo, copy }) head->addWidget(b);
    layout->addLayout(head);
    layout->addWidget(legend);

    pages = new QStackedWidget(frame);
    empty = emptyPage(frame);
    pages->addWidget(empty.page);
    pages->addWidget(text);
    layout->addWidget(pages, 1);
    figures = new ElidedLabel(frame, {}, "small"); // however long, never widens the window
    figures->setObjectName(QStringLiteral("playgroundFigures"));
    parting = label(frame, {}, "small");
    parting->setObjectName(QStringLiteral("playgroundParting"));
    parting->setWordWrap(true);
    parting->setTextInteractionFlags(Qt::TextSelectableByMouse);
    layout->addWidget(parting);
    layout->addWidget(figures);

    enlargeText(text);
    return frame;
}

QWidget* PlaygroundView::buildSide(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    layout->setContentsMargins(12, 4, 12, 10);
    tabs = new QTabWidget(frame);
    tabs->setObjectName(QStringLiteral("playgroundTabs"));
    tabs->setAccessibleName(tr("Settings of the playground"));
    tabs->setDocumentMode(true);
    const auto page = [this](QWidget* content, const QString& name, const QString& tip, int stretch) {
        auto* holder = new QWidget(tabs);
        auto* inner = new QVBoxLayout(holder);
        inner->setContentsMargins(0, 10, 0, 0);
        inner->addWidget(content, stretch);
        if (stretch == 0) inner->addStretch();
        tabs->setTabToolTip(tabs->addTab(holder, name), tip);
    };
    sampling = new SamplingForm(frame);
    mixer = new BranchMixer(frame);
    mixer->setObjectName(QStringLiteral("playgroundMixer"));
    history = new QListWidget(frame);
    history->setObjectName(QStringLiteral("playgroundHistory"));
    history->setAccessibleName(tr("Texts written so far, newest first"));
    history->setToolTip(tr("Select a text to show it again."));
    history->setTextElideMode(Qt::ElideRight);
    history->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    history->setSpacing(1);
    historyEmpty = label(frame, tr("Each text stays here with its settings, to be looked at again."), "muted");
    historyEmpty->setWordWrap(true);
    page(sampling, tr("Sampling"), tr("How tokens are drawn"), 0);
    page(mixer, tr("Mixer"), tr("Mute branches and set their weights for the next text"), 1);
    layout->addWidget(tabs);

    auto* column = splitter(Qt::Vertical, panel, "playgroundSideSplitter");
    column->addWidget(frame);
    auto* past = new QFrame(panel);
    layout = card(past);
    layout->addWidget(label(past, tr("Texts so far"), "heading"));
    layout->addWidget(historyEmpty);
    layout->addWidget(history, 1);
    column->addWidget(past);
    column->setStretchFactor(0, 3);
    column->setStretchFactor(1, 2);
    column->setMinimumWidth(300);
    return column;
}

} // namespace pha::ui
