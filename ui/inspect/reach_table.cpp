// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/reach_table.h"

#include "ui/controls/table_tools.h"
#include "ui/controls/token_tint.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QHeaderView>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace pha::ui {

ReachBin reachBin(std::size_t column)
{
    if (column == 0) return {};
    const auto from = std::int64_t(1) << (column - 1);
    return { from, 2 * from - 1 };
}

void HeatDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    const auto& c = Theme::instance().colours();
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(option.state & QStyle::State_Selected ? QPen(c.accent, 2) : QPen(Qt::NoPen));
    painter->setBrush(index.data(Qt::BackgroundRole).value<QBrush>());
    painter->drawRoundedRect(QRectF(option.rect).adjusted(1, 1.5, -1, -1.5), 3, 3);
    painter->setPen(c.text);
    const auto font = index.data(Qt::FontRole); // bold, where a table says so
    painter->setFont(font.isValid() ? font.value<QFont>().resolve(option.font) : option.font);
    painter->drawText(option.rect, Qt::AlignCenter, index.data().toString());
    painter->restore();
}

ReachTable::ReachTable(QWidget* parent)
    : QTableWidget(parent)
{
    styleTable(this);
    makeCopyable(this);
    setSelectionBehavior(QAbstractItemView::SelectItems);
    setItemDelegate(new HeatDelegate(this));
    for (const int column : { 0, 1 }) setItemDelegateForColumn(column, new CellDelegate(this));
    // Nine columns of two figures stand side by side where the panel is narrow.
    horizontalHeader()->setStyleSheet(
        QStringLiteral("QHeaderView::section { padding-left: 0; padding-right: 0; font-weight: normal; }"));
    setAccessibleName(tr("How far back each part reads"));
    setToolTip(tr("Percent of what a part reads, by how many tokens back it lies; the mean over all tokens and heads. "
                  "A column reaches up to the next one: 4 stands for 4 to 7 tokens."));
    connect(&Theme::instance(), &Theme::changed, this, [this] { paintCells(); });
}

void ReachTable::setLook(const LookPtr& look)
{
    look_ = look;
    clear();
    std::size_t bins = 0;
    if (look)
        for (const auto& reach : look->reach) bins = std::max(bins, reach.shares.size());
    setRowCount(bins == 0 ? 0 : int(look->reach.size()));
    setColumnCount(bins == 0 ? 0 : int(bins) + 2);
    if (bins == 0) return;
    setHorizontalHeaderItem(0, new QTableWidgetItem(tr(" Layer")));
    setHorizontalHeaderItem(1, new QTableWidgetItem(tr("Mean")));
    horizontalHeaderItem(0)->setTextAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    horizontalHeaderItem(1)->setToolTip(plainToolTip(tr("Mean distance of what is read, in tokens")));
    for (std::size_t b = 0; b < bins; ++b) {
        const auto bin = reachBin(b);
        auto* head = new QTableWidgetItem(QString::number(bin.from));
        head->setToolTip(
            plainToolTip(bin.from == bin.to ? counted(bin.from, tr("%1 token back"), tr("%1 tokens back")).arg(bin.from)
                                            : tr("%1 to %2 tokens back").arg(bin.from).arg(bin.to)));
        setHorizontalHeaderItem(int(b) + 2, head);
    }
    for (int row = 0; row < rowCount(); ++row) {
        const auto& reach = look->reach[std::size_t(row)];
        const auto part = fromUtf8(reach.part);
        auto* name = new QTableWidgetItem(QStringLiteral("L%1 %2").arg(reach.layer).arg(partTitle(part)));
        auto* mean = new QTableWidgetItem(formatFixed(reach.meanDistance, 1));
        mean->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
        setItem(row, 0, name);
        setItem(row, 1, mean);
        for (std::size_t b = 0; b < reach.shares.size(); ++b) {
            const double percent = 100 * reach.shares[b];
            auto* cell = new QTableWidgetItem(
                percent >= 0.95 || !(percent > 0) ? formatFixed(percent, 0) : QStringLiteral("<1"));
            const auto bin = reachBin(b);
            cell->setToolTip(plainToolTip(
                counted(bin.to, tr("%1: %2 of what is read lies %3 token back"),
                    tr("%1: %2 of what is read lies %3 tokens back"))
                    .arg(name->text(), sharePercent(reach.shares[b]),
                        bin.from == bin.to ? QString::number(bin.from) : tr("%1 to %2").arg(bin.from).arg(bin.to))));
            setItem(row, int(b) + 2, cell);
        }
    }
    horizontalHeader()->setMinimumSectionSize(fontMetrics().horizontalAdvance(QStringLiteral("00")) + 6);
    horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    for (const int column : { 0, 1 }) horizontalHeader()->setSectionResizeMode(column, QHeaderView::ResizeToContents);
    paintCells();
}

void ReachTable::paintCells()
{
    if (!look_) return;
    const auto& c = Theme::instance().colours();
    for (int row = 0; row < rowCount(); ++row) {
        const auto& reach = look_->reach[std::size_t(row)];
        const auto colour = c.branch(fromUtf8(reach.part));
        item(row, 0)->setData(Qt::DecorationRole, colour);
        item(row, 1)->setForeground(c.text);
        for (std::size_t b = 0; b < reach.shares.size(); ++b) {
            auto* cell = item(row, int(b) + 2);
            const double share = reach.shares[b];
            cell->setBackground(readableTint(colour, 0.04 + 0.7 * (share > 0 ? std::sqrt(std::min(share, 1.0)) : 0)));
        }
    }
}

QString ReachTable::csv(const InsideView& look)
{
    auto out = csvLine({ QStringLiteral("layer"), QStringLiteral("part"), QStringLiteral("from_tokens_back"),
        QStringLiteral("to_tokens_back"), QStringLiteral("share"), QStringLiteral("mean_distance") });
    for (const auto& reach : look.reach)
        for (std::size_t b = 0; b < reach.shares.size(); ++b)
            out += csvLine({ QString::number(reach.layer), fromUtf8(reach.part), QString::number(reachBin(b).from),
                QString::number(reachBin(b).to), QString::number(reach.shares[b], 'g', 9),
                QString::number(reach.meanDistance, 'g', 9) });
    return out;
}

} // namespace pha::ui
