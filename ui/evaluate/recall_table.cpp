// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/evaluate/recall_table.h"

#include "ui/controls/table_tools.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QHeaderView>

namespace pha::ui {

RecallTable::RecallTable(QWidget* parent)
    : QTableWidget(0, 4, parent)
{
    styleTable(this);
    makeCopyable(this);
    setHorizontalHeaderLabels({ tr("Words ago"), tr("Questions"), tr("Recalled"), QString() });
    horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    horizontalHeader()->setSectionResizeMode(3, QHeaderView::Stretch);
    for (const int column : { 1, 2 }) horizontalHeaderItem(column)->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
    horizontalHeaderItem(0)->setTextAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    setItemDelegateForColumn(3, new BarDelegate(this));
    setAccessibleName(tr("Recall by distance"));
    setToolTip(tr("Share of facts that the network recalls, by how many words ago they were stated. The dotted tick is "
                  "the chance of a guess."));
    connect(&Theme::instance(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

void RecallTable::setRecall(const RecallEvent& recall)
{
    setRowCount(int(recall.bins.size()));
    for (int r = 0; r < rowCount(); ++r) {
        const auto& bin = recall.bins[std::size_t(r)];
        const double share = bin.count > 0 ? double(bin.correct) / double(bin.count) : 0;
        const auto range = bin.distanceTo - bin.distanceFrom <= 1
            ? formatCount(bin.distanceFrom)
            : formatCount(bin.distanceFrom) + QChar(0x2013) + formatCount(bin.distanceTo - 1);
        auto* distance = new QTableWidgetItem(range);
        auto* count = new QTableWidgetItem(formatCount(bin.count));
        auto* accuracy = new QTableWidgetItem(bin.count > 0 ? formatPercent(share) : tr("none"));
        count->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
        accuracy->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
        auto* bar = new QTableWidgetItem;
        bar->setData(BarDelegate::Share, share);
        bar->setData(BarDelegate::Mark, bin.chance);
        bar->setToolTip(tr("%1 of %2 recalled; a guess has a chance of %3")
                            .arg(formatCount(bin.correct), formatCount(bin.count), formatPercent(bin.chance)));
        setItem(r, 0, distance);
        setItem(r, 1, count);
        setItem(r, 2, accuracy);
        setItem(r, 3, bar);
    }
}

} // namespace pha::ui
