// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/head_table.h"

#include "ui/controls/table_tools.h"
#include "ui/controls/token_tint.h"
#include "ui/format.h"
#include "ui/inspect/reach_table.h"
#include "ui/look/theme.h"

#include <QHeaderView>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

constexpr int firstKind = 1; // the column before it is the head

/// "12", in percent; "<1" of what is not nothing.
QString percentFigure(double share)
{
    const double percent = 100 * share;
    return percent >= 0.95 || !(percent > 0) ? formatFixed(percent, 0) : QStringLiteral("<1");
}

QString inTokens(double halfLife) { return formatFixed(halfLife, halfLife < 100 ? 1 : 0); }

QTableWidgetItem* headItem(const QString& text, const QString& tip, bool left)
{
    auto* item = new QTableWidgetItem(text);
    item->setToolTip(plainToolTip(tip));
    item->setTextAlignment((left ? Qt::AlignLeft : Qt::AlignHCenter) | Qt::AlignVCenter);
    return item;
}

/// Tiles side by side behind a column or two of text.
void styleTiles(QTableWidget* table, int textColumns)
{
    styleTable(table);
    makeCopyable(table);
    table->setSelectionBehavior(QAbstractItemView::SelectItems);
    table->setItemDelegate(new HeatDelegate(table));
    for (int column = 0; column < textColumns; ++column)
        table->setItemDelegateForColumn(column, new CellDelegate(table));
    table->horizontalHeader()->setStyleSheet(
        QStringLiteral("QHeaderView::section { padding-left: 0; padding-right: 0; font-weight: normal; }"));
    table->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    for (int column = 0; column < textColumns; ++column)
        table->horizontalHeader()->setSectionResizeMode(column, QHeaderView::ResizeToContents);
}

QString kindTip(std::size_t kind)
{
    const QString tips[] { HeadTable::tr("The token before"), HeadTable::tr("The token itself, at which is read"),
        HeadTable::tr("The first token that can be seen: where heads rest that have nothing to read"),
        HeadTable::tr("Earlier ones of the same token"),
        HeadTable::tr("Tokens that come right after an earlier one of the same token: what may come again") };
    return tips[kind];
}

} // namespace

HeadTable::HeadTable(QWidget* parent)
    : QTableWidget(0, firstKind + int(headKinds.size()), parent)
{
    styleTiles(this, firstKind);
    setHorizontalHeaderItem(0, headItem(tr(" Head"), {}, true));
    // Figures are wider than words where the panel is narrow.
    const QString titles[] { tr("Prev."), tr("Self"), tr("First"), tr("Same"), tr("Induc.") };
    for (std::size_t kind = 0; kind < headKinds.size(); ++kind)
        setHorizontalHeaderItem(firstKind + int(kind), headItem(titles[kind], kindTip(kind), false));
    setAccessibleName(tr("What each head does"));
    setToolTip(tr("A head is named after what it reads most, if that is at least 30 % of all, three times what reading "
                  "all alike would give, and was seen at eight tokens or more."));
    connect(&Theme::instance(), &Theme::changed, this, [this] { paintCells(); });
}

void HeadTable::setHeads(const std::vector<HeadFigures>& heads)
{
    heads_ = heads;
    clearContents();
    setRowCount(int(heads.size()));
    for (int row = 0; row < rowCount(); ++row) {
        const auto& head = heads_[std::size_t(row)];
        const bool alone = std::count_if(heads_.begin(), heads_.end(), [&](const HeadFigures& other) {
            return other.layer == head.layer && other.part == head.part;
        }) == 1;
        auto name = QStringLiteral("L%1 %2").arg(head.layer).arg(partTitle(fromUtf8(head.part)));
        if (!alone) name += QStringLiteral(" %1").arg(head.head);
        auto* title = new QTableWidgetItem(name);
        if (head.name >= 0) {
            title->setData(Qt::AccessibleTextRole, tr("%1: %2").arg(name, headKindTitle(head.name)));
            title->setToolTip(plainToolTip(tr("%1: %2").arg(name, headKindTitle(head.name))));
        }
        setItem(row, 0, title);
        for (std::size_t kind = 0; kind < head.kinds.size(); ++kind) {
            const auto& reads = head.kinds[kind];
            const bool any = reads.queries > 0;
            auto* cell = new QTableWidgetItem(any
                    ? QStringLiteral("%1 (%2)").arg(percentFigure(reads.share), percentFigure(reads.uniform))
                    : QStringLiteral("\u2013"));
            cell->setToolTip(plainToolTip(any
                    ? counted(reads.queries,
                        tr("%1, %2: %3 of what is read; %4 if all were read alike. A mean over the %5 token that sees "
                           "such places."),
                        tr("%1, %2: %3 of what is read; %4 if all were read alike. A mean over the %5 tokens that see "
                           "such places."))
                          .arg(name, headKindTitle(int(kind)), sharePercent(reads.share), sharePercent(reads.uniform),
                              formatCount(reads.queries))
                    : tr("%1, %2: no token sees such a place").arg(name, headKindTitle(int(kind)))));
            QFont bold;
            bold.setBold(true);
            if (head.name == int(kind)) cell->setFont(bold);
            setItem(row, firstKind + int(kind), cell);
        }
    }
    paintCells();
}

void HeadTable::paintCells()
{
    const auto& c = Theme::instance().colours();
    for (int row = 0; row < rowCount(); ++row) {
        const auto& head = heads_[std::size_t(row)];
        const auto colour = c.branch(fromUtf8(head.part));
        item(row, 0)->setData(Qt::DecorationRole, colour);
        for (std::size_t kind = 0; kind < head.kinds.size(); ++kind)
            item(row, firstKind + int(kind))
                ->setBackground(
                    readableTint(colour, 0.04 + 0.7 * std::sqrt(std::clamp(head.kinds[kind].share, 0.0, 1.0))));
    }
}

QString HeadTable::csv(const std::vector<HeadFigures>& heads)
{
    auto out =
        csvLine({ QStringLiteral("layer"), QStringLiteral("part"), QStringLiteral("head"), QStringLiteral("name"),
            QStringLiteral("places"), QStringLiteral("share"), QStringLiteral("uniform"), QStringLiteral("queries") });
    const auto kindName = [](int kind) { return kind < 0 ? QString() : fromUtf8(headKinds[std::size_t(kind)]); };
    for (const auto& head : heads)
        for (std::size_t kind = 0; kind < head.kinds.size(); ++kind)
            out += csvLine({ QString::number(head.layer), fromUtf8(head.part), QString::number(head.head),
                kindName(head.name), kindName(int(kind)), QString::number(head.kinds[kind].share, 'g', 9),
                QString::number(head.kinds[kind].uniform, 'g', 9), QString::number(head.kinds[kind].queries) });
    return out;
}

MemoryTable::MemoryTable(QWidget* parent)
    : QTableWidget(0, 8, parent)
{
    styleTiles(this, 1);
    setHorizontalHeaderItem(0, headItem(tr(" Layer"), {}, true));
    const QString levels[] { tr("5 %"), tr("25 %"), tr("50 %"), tr("75 %"), tr("95 %") };
    for (int i = 0; i < 5; ++i)
        setHorizontalHeaderItem(
            i + 1, headItem(levels[i], tr("So many states have a half-life of at most so many tokens"), false));
    setHorizontalHeaderItem(6, headItem(tr("Max"), tr("The longest half-life of a state, in tokens"), false));
    setHorizontalHeaderItem(7,
        headItem(tr("Over"),
            tr("Share of the states whose half-life is longer than the context that the run trains on"), false));
    setAccessibleName(tr("How long the states of each layer remember"));
    setToolTip(tr("Half-lives in tokens: after one, half is left of what was written to a state."));
    connect(&Theme::instance(), &Theme::changed, this, [this] { paintCells(); });
}

void MemoryTable::setMemory(const std::vector<StateMemory>& memory)
{
    memory_ = memory;
    clearContents();
    setRowCount(int(memory.size()));
    for (int row = 0; row < rowCount(); ++row) {
        const auto& m = memory_[std::size_t(row)];
        auto* name = new QTableWidgetItem(QStringLiteral("L%1 %2").arg(m.layer).arg(partTitle(fromUtf8(m.part))));
        name->setToolTip(plainToolTip(counted(m.states, tr("%1 state"), tr("%1 states")).arg(formatCount(m.states))));
        setItem(row, 0, name);
        for (int i = 0; i < 5; ++i) setItem(row, i + 1, new QTableWidgetItem(inTokens(m.quantiles[std::size_t(i)])));
        setItem(row, 6, new QTableWidgetItem(inTokens(m.longest)));
        setItem(row, 7, new QTableWidgetItem(tr("%1 %").arg(percentFigure(m.outlive))));
    }
    paintCells();
}

void MemoryTable::paintCells()
{
    const auto& c = Theme::instance().colours();
    double longest = 1;
    for (const auto& m : memory_) longest = std::max(longest, m.longest);
    for (int row = 0; row < rowCount(); ++row) {
        const auto& m = memory_[std::size_t(row)];
        const auto colour = c.branch(fromUtf8(m.part));
        const auto tint = [&](int column, double share) {
            item(row, column)->setBackground(readableTint(colour, 0.04 + 0.7 * std::clamp(share, 0.0, 1.0)));
        };
        item(row, 0)->setData(Qt::DecorationRole, colour);
        for (int i = 0; i < 5; ++i) tint(i + 1, std::log1p(m.quantiles[std::size_t(i)]) / std::log1p(longest));
        tint(6, std::log1p(m.longest) / std::log1p(longest));
        tint(7, m.outlive);
    }
}

QString MemoryTable::csv(const std::vector<StateMemory>& memory)
{
    auto out = csvLine(
        { QStringLiteral("layer"), QStringLiteral("part"), QStringLiteral("states"), QStringLiteral("half_life_5"),
            QStringLiteral("half_life_25"), QStringLiteral("half_life_50"), QStringLiteral("half_life_75"),
            QStringLiteral("half_life_95"), QStringLiteral("longest"), QStringLiteral("outlive_context") });
    for (const auto& m : memory) {
        QStringList line { QString::number(m.layer), fromUtf8(m.part), QString::number(m.states) };
        for (const double quantile : m.quantiles) line << QString::number(quantile, 'g', 9);
        out += csvLine(line << QString::number(m.longest, 'g', 9) << QString::number(m.outlive, 'g', 9));
    }
    return out;
}

} // namespace pha::ui
