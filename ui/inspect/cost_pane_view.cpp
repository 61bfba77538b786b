// SPDX-License-Identifier: GPL-3.0-or-later
// CostPane: its widgets and what they say.
#include "ui/controls/controls.h"
#include "ui/controls/table_tools.h"
#include "ui/controls/weights_box.h"
#include "ui/format.h"
#include "ui/inspect/cost_pane.h"
#include "ui/inspect/look_figures.h"
#include "ui/look/icons.h"

#include <QComboBox>
#include <QFrame>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QTableWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

void CostPane::buildList(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    list_ = frame;
    auto* layout = card(frame);
    auto* head = new QHBoxLayout;
    box_ = new WeightsBox(frame);
    box_->setObjectName(QStringLiteral("costsWeights"));
    head->addWidget(label(frame, tr("Parts"), "heading"));
    head->addSpacing(8);
    head->addWidget(box_, 1);
    layout->addLayout(head);
    measure_ = pushButton(frame, "costsMeasure", tr("&Measure"),
        tr("Time every part of every layer, and score the validation text with each one muted (Ctrl+Enter). Works "
           "while the run trains, but both are slower then."),
        "primary");
    stop_ = pushButton(frame, "costsStop", {}, tr("Stop measuring (Esc)"));
    stop_->setAccessibleName(tr("Stop"));
    stop_->setIcon(icon(QStringLiteral("stop")));
    auto* row = new QHBoxLayout;
    row->addWidget(measure_);
    row->addWidget(stop_);
    row->addStretch();
    layout->addLayout(row);
    table_ = new QTableWidget(frame);
    table_->setObjectName(QStringLiteral("costsTable"));
    table_->setAccessibleName(tr("Parts, what they cost and are worth"));
    table_->setToolTip(plainToolTip(tr("Select the parts that could be left out; with Ctrl or Shift several.")));
    styleTable(table_);
    makeCopyable(table_);
    table_->setSelectionMode(QAbstractItemView::ExtendedSelection);
    table_->setItemDelegate(new CellDelegate(table_));
    layout->addWidget(table_, 1);
    message_ = new MessageLabel(frame, "costsMessage");
    layout->addWidget(message_);
}

void CostPane::buildPage(QWidget* panel)
{
    page_ = new QWidget(panel);
    auto* layout = new QVBoxLayout(page_);
    layout->setContentsMargins(0, 8, 0, 0);
    layout->setSpacing(6);
    chart_ = new CostChart(page_);
    axis_ = new QComboBox(page_);
    axis_->setObjectName(QStringLiteral("costsAxis"));
    axis_->addItems({ tr("Time"), tr("FLOPs"), tr("Weights"), tr("Cache") }); // as CostAxis
    axis_->setToolTip(
        plainToolTip(tr("What a part costs: time of its own code in a forward pass, multiplications and "
                        "additions, bytes of its weights, or bytes that it keeps while a text is written.")));
    axis_->setAccessibleName(tr("Cost on the horizontal axis"));
    chart_->addHeaderWidget(axis_);
    layout->addWidget(chart_, 1);
    reading_ = steadyLabel(page_, "costsReadout", 2);
    predicted_ = steadyLabel(page_, "costsPredicted", 2);
    measured_ = steadyLabel(page_, "costsMeasured", 3);
    layout->addWidget(reading_);
    layout->addWidget(predicted_);
    layout->addWidget(measured_);
    prune_ = pushButton(page_, "costsPrune", tr("&Prune and go on\u2026"),
        tr("Fill in the form with a fork of this run that goes on from the checkpoint without the selected parts: they "
           "are neither stored nor computed any more."));
    auto* row = new QHBoxLayout;
    row->addWidget(prune_);
    row->addStretch();
    layout->addLayout(row);
}

void CostPane::fillTable()
{
    const QSignalBlocker quiet(table_);
    table_->clear();
    const int rows = costs_ ? int(costs_->cells.size()) : 0;
    table_->setRowCount(rows);
    table_->setColumnCount(4);
    table_->setHorizontalHeaderLabels({ tr("Part"), tr("ms"), tr("of pass"), tr("PPL muted") });
    for (int row = 0; row < rows; ++row) {
        const auto& cell = costs_->cells[std::size_t(row)];
        const QString texts[] { placeTitle(cell.place), formatNumber(1e3 * cell.seconds, 3),
            tr("%1 %").arg(formatFixed(100 * cell.seconds / costs_->passSeconds, 1)),
            changeText(costs_->perplexityChange(cell.change)) };
        for (int column = 0; column < 4; ++column) {
            auto* item = new QTableWidgetItem(texts[column]);
            item->setToolTip(plainToolTip(chart_->reading(row)));
            if (column == 0)
                item->setData(Qt::DecorationRole, partColour(fromUtf8(cell.place.part)));
            else
                item->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
            table_->setItem(row, column, item);
        }
    }
    table_->horizontalHeader()->setStretchLastSection(false);
    table_->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    table_->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
}

void CostPane::showState()
{
    const bool weights = session_ && box_->source().available;
    measure_->setEnabled(weights && !busy());
    stop_->setEnabled(busy());
    axis_->setEnabled(costs_ != nullptr);
    table_->setEnabled(costs_ != nullptr);
    prune_->setEnabled(costs_ && !chosen().empty() && !checkpoint().empty() && !(trial_ && !trial_->obstacle.empty()));
    chart_->setEmptyText(costs_          ? QString()
            : busy()                     ? tr("Measuring\u2026")
            : !session_                  ? tr("Train a run or open one to see what its parts cost and are worth.")
            : !box_->problem().isEmpty() ? box_->problem()
            : !weights                   ? tr("This run has no checkpoint yet.")
                                         : tr("Press Measure: every part is timed, and muted once."));
    showTogether();
}

QString CostPane::predictedText() const
{
    double seconds = 0;
    for (const int cell : chart_->selected()) seconds += costs_->cells[std::size_t(cell)].seconds;
    const double share = std::clamp(seconds / costs_->passSeconds, 0.0, 1.0);
    const auto count = int(chart_->selected().size());
    const auto percent = formatFixed(100 * share, 1),
               times = share < 1 ? formatFixed(1 / (1 - share), 2) : QStringLiteral("\u221e");
    return count == 1 ? tr("1 part: %1 % of the pass; predicted without: %2 times as fast").arg(percent, times)
                      : tr("%1 parts: %2 % of the pass; predicted without: %3 times as fast")
                            .arg(QString::number(count), percent, times);
}

QString CostPane::measuredText() const
{
    if (!trial_) return busy() || soon_.isActive() ? tr("Measured together: \u2026") : QString();
    auto text = tr("Measured together: perplexity %1 (%2 nats a token)")
                    .arg(changeText(costs_->perplexityChange(trial_->change)), changeText(trial_->change));
    if (trial_->obstacle.empty())
        text += tr("; without them %1 ms instead of %2 ms, %3 times as fast, %4 parameters")
                    .arg(formatNumber(1e3 * trial_->prunedSeconds, 3), formatNumber(1e3 * trial_->passSeconds, 3),
                        formatFixed(trial_->passSeconds / trial_->prunedSeconds, 2), formatCount(trial_->parameters));
    return text;
}

void CostPane::showTogether()
{
    const bool any = costs_ && !chart_->selected().empty();
    sayWhole(predicted_,
        any          ? predictedText()
            : costs_ ? tr("Select dots or rows to measure what leaving them out does.")
                     : QString());
    sayWhole(measured_, any ? measuredText() : QString());
}

} // namespace pha::ui
