// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/controls/table_tools.h"

#include "engine/run/run_export.h"
#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QAction>
#include <QClipboard>
#include <QGuiApplication>
#include <QHeaderView>
#include <QKeyEvent>
#include <QPainter>

#include <algorithm>
#include <set>

namespace pha::ui {

namespace {

/// Takes Ctrl+C before the view, which would copy one cell, and before shortcuts of the window.
class CopyFilter : public QObject {
public:
    using QObject::QObject;
    bool eventFilter(QObject* watched, QEvent* event) override
    {
        const bool key = event->type() == QEvent::ShortcutOverride || event->type() == QEvent::KeyPress;
        if (!key || !static_cast<QKeyEvent*>(event)->matches(QKeySequence::Copy)) return false;
        if (event->type() == QEvent::KeyPress)
            QGuiApplication::clipboard()->setText(selectedText(*static_cast<QTableView*>(watched)));
        event->accept();
        return true;
    }
};

} // namespace

void makeCopyable(QTableView* table)
{
    table->installEventFilter(new CopyFilter(table));
    auto* copy = new QAction(icon(QStringLiteral("copy")), QTableView::tr("Copy rows"), table);
    table->addAction(copy);
    table->setContextMenuPolicy(Qt::ActionsContextMenu);
    QObject::connect(
        copy, &QAction::triggered, table, [table] { QGuiApplication::clipboard()->setText(selectedText(*table)); });
}

QString selectedText(const QTableView& table)
{
    const auto* model = table.model();
    std::set<int> rows;
    if (const auto* selection = table.selectionModel())
        for (const auto& index : selection->selectedIndexes()) rows.insert(index.row());
    const bool all = rows.empty();
    for (int r = 0; all && r < model->rowCount(); ++r) rows.insert(r);
    QString text;
    const auto line = [&](const auto& cell) {
        QStringList cells;
        for (int c = 0; c < model->columnCount(); ++c)
            if (!table.isColumnHidden(c)) cells << cell(c).simplified();
        text += cells.join(QLatin1Char('\t')) + QLatin1Char('\n');
    };
    line([&](int c) { return model->headerData(c, Qt::Horizontal).toString(); });
    for (const int r : rows) line([&](int c) { return model->index(r, c).data().toString(); });
    return text;
}

QString csvLine(const QStringList& cells)
{
    QStringList quoted;
    for (const auto& cell : cells) quoted << fromUtf8(csvCell(cell.toStdString()));
    return quoted.join(QLatin1Char(',')) + QLatin1Char('\n');
}

void styleTable(QTableView* table)
{
    table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    table->setSelectionBehavior(QAbstractItemView::SelectRows);
    table->setShowGrid(false);
    table->setItemDelegate(new CellDelegate(table));
    table->setWordWrap(false);
    table->setTabKeyNavigation(false);
    table->verticalHeader()->hide();
    fitToText(table, [table] { table->verticalHeader()->setDefaultSectionSize(table->fontMetrics().height() + 9); });
    table->horizontalHeader()->setHighlightSections(false);
}

namespace {

constexpr int cellPadding = 7; // of the headings in the style sheet, so that columns line up
constexpr int swatch = 9, swatchGap = 6;

void paintSelection(QPainter& painter, const QStyleOptionViewItem& option)
{
    const auto& c = Theme::instance().colours();
    if (option.state & QStyle::State_Selected)
        painter.fillRect(option.rect, mixed(c.surface, c.accent, c.dark ? 0.24 : 0.13));
}

} // namespace

void CellDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    const auto& c = Theme::instance().colours();
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    paintSelection(*painter, option);
    const auto box = QRectF(option.rect);
    if (const auto fill = index.data(Qt::BackgroundRole).value<QBrush>(); fill.style() != Qt::NoBrush) {
        painter->setPen(Qt::NoPen);
        if (option.state & QStyle::State_Selected) painter->setPen(QPen(c.accent, 2));
        painter->setBrush(fill);
        painter->drawRoundedRect(box.adjusted(1.5, 1.5, -1.5, -1.5), 4, 4);
    }
    const auto colour = index.data(Qt::ForegroundRole).value<QBrush>();
    painter->setPen(colour.style() == Qt::NoBrush ? c.text : colour.color());
    const auto font = index.data(Qt::FontRole);
    painter->setFont(font.isValid() ? font.value<QFont>() : option.font);
    const auto given = index.data(Qt::TextAlignmentRole);
    const auto alignment =
        given.isValid() ? Qt::Alignment::fromInt(given.toInt()) : Qt::Alignment(Qt::AlignLeft | Qt::AlignVCenter);
    auto inner = box.adjusted(cellPadding, 0, -cellPadding, 0);
    const auto pen = painter->pen();
    if (const auto mark = index.data(Qt::DecorationRole).value<QColor>(); mark.isValid()) {
        painter->setPen(Qt::NoPen);
        painter->setBrush(mark);
        painter->drawRoundedRect(QRectF(inner.left(), inner.center().y() - swatch / 2., swatch, swatch), 2, 2);
        painter->setPen(pen);
        inner.adjust(swatch + swatchGap, 0, 0, 0);
    }
    painter->drawText(inner, int(alignment),
        painter->fontMetrics().elidedText(index.data().toString(), option.textElideMode, int(inner.width()) + 1));
    painter->restore();
}

QSize CellDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    const int mark = index.data(Qt::DecorationRole).value<QColor>().isValid() ? swatch + swatchGap : 0;
    return { option.fontMetrics.horizontalAdvance(index.data().toString()) + mark + 2 * cellPadding + 2,
        option.fontMetrics.height() + 9 };
}

void BarDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    const auto& c = Theme::instance().colours();
    const auto branch = index.data(Branch).toString();
    const auto colour = branch.isEmpty() ? c.accent : c.branch(branch);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    paintSelection(*painter, option);
    const auto box = QRectF(option.rect).adjusted(4, 3, -4, -3);
    const double share = std::clamp(index.data(Share).toDouble(), 0.0, 1.0);
    painter->setPen(Qt::NoPen);
    painter->setBrush(mixed(c.surface, c.text, 0.06));
    painter->drawRoundedRect(box, 3, 3);
    if (share > 0) {
        painter->setBrush(mixed(c.surface, colour, c.dark ? 0.45 : 0.32));
        painter->drawRoundedRect(QRectF(box.left(), box.top(), std::max(3.0, box.width() * share), box.height()), 3, 3);
    }
    if (const auto mark = index.data(Mark); mark.isValid()) {
        const double x = box.left() + box.width() * std::clamp(mark.toDouble(), 0.0, 1.0);
        painter->setPen(QPen(c.text, 1.5, Qt::DotLine));
        painter->drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()));
    }
    painter->setPen(c.text);
    painter->setFont(option.font);
    painter->drawText(box.adjusted(6, 0, -6, 0), Qt::AlignVCenter | Qt::AlignLeft, index.data().toString());
    painter->restore();
}

} // namespace pha::ui
