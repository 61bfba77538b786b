// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/alerts/alerts_view.h"

#include "ui/alerts/gradient_table.h"
#include "ui/controls/controls.h"
#include "ui/controls/folding_row.h"
#include "ui/controls/folding_splitter.h"
#include "ui/controls/table_tools.h"
#include "ui/controls/token_view.h"
#include "ui/format.h"
#include "ui/look/icons.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QPushButton>
#include <QSpinBox>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableWidget>
#include <QVBoxLayout>

namespace pha::ui {

AlertsView::AlertsView(QWidget* panel)
{
    pages = new QStackedWidget(panel);
    empty = emptyPage(pages);
    empty.text->setObjectName(QStringLiteral("alertsEmpty"));
    pages->addWidget(empty.page);
    auto* page = new QWidget(pages);
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    auto* rows = splitter(Qt::Vertical, page, "alertsRows");
    rows->addWidget(buildList());
    autopsy = new QStackedWidget(rows);
    const auto none = emptyPage(autopsy, AlertsView::tr("Not examined"));
    noAutopsy = none.text;
    noAutopsy->setObjectName(QStringLiteral("alertNote"));
    autopsy->addWidget(none.page);
    auto* columns = new FoldingSplitter(autopsy, "alertsColumns");
    columns->addWidget(buildText());
    columns->addWidget(buildGradients());
    columns->setStretchFactor(0, 3);
    columns->setStretchFactor(1, 2);
    columns->setWidths({ 420, 320 });
    autopsy->addWidget(columns);
    rows->addWidget(autopsy);
    rows->setStretchFactor(0, 1);
    rows->setStretchFactor(1, 3);
    rows->setSizes({ 160, 420 });
    layout->addWidget(rows, 1);
    layout->addWidget(buildActions());
    pages->addWidget(page);
    auto* outer = new QVBoxLayout(panel);
    outer->setContentsMargins(10, 10, 10, 10);
    outer->addWidget(pages);
}

QWidget* AlertsView::buildList()
{
    auto* frame = new QFrame(pages);
    auto* layout = card(frame);
    list = new QTableWidget(0, 5, frame);
    styleTable(list);
    makeCopyable(list);
    list->setObjectName(QStringLiteral("alertsList"));
    list->setAccessibleName(tr("Alerts of the selected run"));
    list->setToolTip(plainToolTip(tr("Updates that were not like those before them, the newest first. Up and Down go "
                                     "from one to the next; the chosen one is explained below.")));
    list->setSelectionMode(QAbstractItemView::SingleSelection);
    list->setHorizontalHeaderLabels({ tr("Step"), tr("Kind"), tr("Loss"), tr("Gradient"), tr("What happened") });
    list->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    list->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    list->horizontalHeader()->setSectionResizeMode(4, QHeaderView::Stretch);
    message = label(frame, {}, "heading");
    message->setObjectName(QStringLiteral("alertMessage"));
    message->setWordWrap(true);
    figures = label(frame, {}, "muted");
    figures->setObjectName(QStringLiteral("alertFigures"));
    figures->setWordWrap(true);
    layout->addWidget(list, 1);
    layout->addWidget(message);
    layout->addWidget(figures);
    return frame;
}

QWidget* AlertsView::buildText()
{
    auto* frame = new QFrame(pages);
    auto* layout = card(frame);
    choice = new QComboBox(frame);
    choice->setObjectName(QStringLiteral("alertTexts"));
    choice->setAccessibleName(tr("Texts of the batch"));
    choice->setToolTip(plainToolTip(tr("The texts of this update's batch that cost most, with their mean loss in that "
                                       "update and where they stand in the training data.")));
    choice->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    choice->setMinimumContentsLength(16);
    text = new TokenView(frame);
    text->setObjectName(QStringLiteral("alertText"));
    text->setAccessibleName(tr("The stretch of the text that cost most"));
    text->setTint(TintMode::Surprise);
    legend = new TintLegend(&text->tint(), frame);
    auto* head = new QHBoxLayout;
    head->addWidget(label(frame, tr("Texts of the batch"), "heading"));
    head->addStretch();
    head->addWidget(legend);
    layout->addLayout(head);
    layout->addWidget(choice);
    layout->addWidget(text, 1);
    return frame;
}

QWidget* AlertsView::buildGradients()
{
    auto* frame = new QFrame(pages);
    auto* layout = card(frame);
    gradients = new GradientTable(frame);
    mixing = label(frame, {}, "small");
    mixing->setObjectName(QStringLiteral("alertMixing"));
    mixing->setWordWrap(true);
    layout->addWidget(label(frame, tr("Gradient by part"), "heading"));
    layout->addWidget(gradients, 1);
    layout->addWidget(mixing);
    return frame;
}

QWidget* AlertsView::buildActions()
{
    auto* bar = new FoldingRow(pages);
    updates = new QSpinBox(bar);
    updates->setObjectName(QStringLiteral("alertUpdates"));
    updates->setAccessibleName(tr("Updates whose data are passed over"));
    updates->setRange(1, 100000);
    updates->setPrefix(tr("skip "));
    updates->setToolTip(plainToolTip(tr("How many updates' data the fork passes over, from this one on. 1: this batch "
                                        "alone. PaLM's authors passed over 200 to 500.")));
    around = pushButton(bar, "alertForkAround", tr("Fork &around it\u2026"),
        tr("Sets up a run that goes on from the newest checkpoint before this update and passes over its data"),
        "primary");
    around->setIcon(iconOnAccent(QStringLiteral("fork")));
    slower = pushButton(bar, "alertForkSlower", tr("Fork with half the &rate\u2026"),
        tr("Sets up a run that goes on from the newest checkpoint before this update with half the learning rate, "
           "and half of Muon's where that optimiser trains the hidden matrices"));
    halve = pushButton(bar, "alertHalve", tr("&Halve the rate now"),
        tr("Halves the peak learning rate of the run that trains, and Muon's where that optimiser trains the hidden "
           "matrices, from the next update on"));
    hint = new ElidedLabel(bar, {}, "small");
    hint->setObjectName(QStringLiteral("alertHint"));
    bar->add({ updates, around });
    bar->add({ slower, halve, hint });
    return bar;
}

} // namespace pha::ui
