// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/weight_list.h"

#include "ui/controls/table_tools.h"
#include "ui/format.h"
#include "ui/inspect/look_figures.h"
#include "ui/look/theme.h"

#include <QHeaderView>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

constexpr int littleColumns = 32; ///< of the histogram in a cell

/// The histogram as bars from minus to plus the largest magnitude; heights are square roots, so that tails are seen.
class LittleHistogram : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override
    {
        const auto& c = Theme::instance().colours();
        const auto heights = index.data(WeightListModel::Heights).value<QVector<double>>();
        painter->save();
        if (option.state & QStyle::State_Selected)
            painter->fillRect(option.rect, mixed(c.surface, c.accent, c.dark ? 0.24 : 0.13));
        const auto box = QRectF(option.rect).adjusted(5, 3, -5, -3);
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setPen(QPen(c.border, 1));
        painter->drawLine(QPointF(box.left(), box.bottom()), QPointF(box.right(), box.bottom()));
        painter->setPen(Qt::NoPen);
        painter->setBrush(mixed(c.surface, partColour(index.data(WeightListModel::Part).toString()), 0.8));
        const double width = box.width() / std::max<qsizetype>(1, heights.size());
        for (qsizetype i = 0; i < heights.size(); ++i) {
            if (heights[i] <= 0) continue;
            const double height = std::max(1.0, heights[i] * box.height());
            painter->drawRect(QRectF(box.left() + double(i) * width, box.bottom() - height, width, height));
        }
        painter->restore();
    }
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const override
    {
        return { 84, option.fontMetrics.height() + 9 };
    }
};

QVector<double> heights(const TensorFigures& tensor)
{
    const auto counts = tensor.histogram.columns(littleColumns);
    const auto most = double(std::max<std::int64_t>(1, *std::max_element(counts.begin(), counts.end())));
    QVector<double> made;
    for (const auto n : counts) made << std::sqrt(double(n) / most);
    return made;
}

} // namespace

QString tensorTitle(const std::string& name)
{
    const auto place = tensorPlace(name);
    if (place.layer < 0) return fromUtf8(name);
    const auto inLayer = place.part == "norms" ? place.name : place.part + "." + place.name;
    return QStringLiteral("L%1 %2").arg(place.layer).arg(fromUtf8(inLayer));
}

QString movedText(double change) { return change == 0 ? QStringLiteral("0 %") : sharePercent(change); }

QString rankText(const TensorFigures& tensor)
{
    if (!tensor.rank) return {};
    return WeightListModel::tr("rank %1 of %2")
        .arg(formatFixed(*tensor.rank, *tensor.rank < 10 ? 1 : 0),
            formatCount(std::min(tensor.shape[0], tensor.shape[1])));
}

bool WeightListModel::sameTensors(const WeightMoment* moment) const
{
    if (!moment || !moment_.figures) return false;
    const auto &old = moment_.figures->tensors, &now = moment->figures->tensors;
    return std::equal(old.begin(), old.end(), now.begin(), now.end(),
        [](const TensorFigures& a, const TensorFigures& b) { return a.name == b.name; });
}

void WeightListModel::setMoment(const WeightMoment* moment)
{
    if (moment && moment->figures == moment_.figures) return;
    if (sameTensors(moment)) {
        moment_ = *moment;
        Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, Columns - 1));
        Q_EMIT headerDataChanged(Qt::Horizontal, Change, Change);
        return;
    }
    beginResetModel();
    moment_ = moment ? *moment : WeightMoment();
    endResetModel();
}

int WeightListModel::rowCount(const QModelIndex& parent) const
{
    return parent.isValid() || !moment_.figures ? 0 : int(moment_.figures->tensors.size());
}

int WeightListModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : Columns; }

QString WeightListModel::text(const TensorFigures& t, int column) const
{
    switch (column) {
    case Tensor:
        return tensorTitle(t.name);
    case Shape:
        return fromUtf8(shapeText(t.shape));
    case Rms:
        return formatNumber(t.rms, 3);
    case Change:
        return t.change ? movedText(*t.change) : QStringLiteral("\u2013");
    default:
        return {};
    }
}

QString WeightListModel::tip(const TensorFigures& t) const
{
    QStringList lines { tr("%1, %2, %3").arg(fromUtf8(t.name), fromUtf8(shapeText(t.shape)), fromUtf8(t.dtype)),
        tr("mean %1, deviation %2, root mean square %3")
            .arg(formatNumber(t.mean, 3), formatNumber(t.deviation, 3), formatNumber(t.rms, 3)),
        tr("from %1 to %2").arg(formatNumber(t.minimum, 3), formatNumber(t.maximum, 3)) };
    if (t.change && moment_.since)
        lines << tr("moved by %1 of its norm since step %2").arg(text(t, Change), formatCount(*moment_.since));
    if (t.rank) lines << tr("effective %1, by its singular values").arg(rankText(t));
    for (const auto& odd : oddities(t)) lines << fromUtf8(odd);
    return lines.join(QLatin1Char('\n'));
}

QVariant WeightListModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const auto& t = tensor(index.row());
    switch (role) {
    case Qt::DisplayRole:
        return text(t, index.column());
    case Qt::ToolTipRole:
        return plainToolTip(tip(t));
    case Qt::AccessibleTextRole:
        return index.column() == Distribution ? tip(t) : text(t, index.column());
    case Qt::DecorationRole:
        if (index.column() == Tensor && !oddities(t).empty()) return Theme::instance().colours().warning;
        return {};
    case Qt::TextAlignmentRole:
        return int(Qt::AlignVCenter | (index.column() == Tensor ? Qt::AlignLeft : Qt::AlignRight));
    case Heights:
        return QVariant::fromValue(heights(t));
    case Part:
        return fromUtf8(tensorPlace(t.name).part);
    case Sort:
        switch (index.column()) {
        case Shape:
            return double(t.count);
        case Rms:
            return t.rms;
        case Change:
            return t.change.value_or(-1);
        case Distribution:
            return t.rms > 0 ? t.largest() / t.rms : 0.0;
        default:
            return index.row();
        }
    default:
        return {};
    }
}

QVariant WeightListModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::DisplayRole) {
        static const char* names[] { QT_TR_NOOP("Tensor"), QT_TR_NOOP("Shape"), QT_TR_NOOP("RMS"), QT_TR_NOOP("Change"),
            QT_TR_NOOP("Hist.") };
        return tr(names[section]);
    }
    if (role == Qt::TextAlignmentRole)
        return int(Qt::AlignVCenter | (section == Tensor || section == Distribution ? Qt::AlignLeft : Qt::AlignRight));
    if (role != Qt::ToolTipRole) return {};
    switch (section) {
    case Tensor:
        return plainToolTip(tr(
            "A coloured square stands before what is odd: not finite, all zero, silent rows, far outliers, unmoved."));
    case Shape:
        return plainToolTip(tr("Rows, which a matrix writes, by columns, which it reads"));
    case Rms:
        return plainToolTip(tr("Root mean square of the numbers"));
    case Change:
        return plainToolTip(moment_.since
                ? tr("How far the tensor has moved since step %1, as a share of its norm there")
                      .arg(formatCount(*moment_.since))
                : tr("How far the tensor has moved since the first checkpoint: there is no other one yet"));
    default:
        return plainToolTip(tr("How the numbers are distributed around 0, square roots of counts. Sorted by the "
                               "largest magnitude in root mean squares"));
    }
}

WeightFilter::WeightFilter(WeightListModel* model)
    : QSortFilterProxyModel(model)
    , model_(model)
{
    setSourceModel(model);
    setSortRole(WeightListModel::Sort);
}

void WeightFilter::show(const QString& part, int layer, bool oddOnly)
{
    part_ = part;
    layer_ = layer;
    oddOnly_ = oddOnly;
    invalidateFilter();
}

bool WeightFilter::filterAcceptsRow(int row, const QModelIndex&) const
{
    const auto& tensor = model_->tensor(row);
    const auto place = tensorPlace(tensor.name);
    return (part_.isEmpty() || fromUtf8(place.part) == part_) && (layer_ == everyLayer || place.layer == layer_)
        && (!oddOnly_ || !oddities(tensor).empty());
}

bool WeightFilter::lessThan(const QModelIndex& left, const QModelIndex& right) const
{
    const double a = left.data(WeightListModel::Sort).toDouble(), b = right.data(WeightListModel::Sort).toDouble();
    return a < b || (!(b < a) && left.row() < right.row());
}

WeightTable::WeightTable(QWidget* parent)
    : QTableView(parent)
{
    styleTable(this);
    makeCopyable(this);
    setSelectionMode(QAbstractItemView::ExtendedSelection);
    setTextElideMode(Qt::ElideMiddle); // layer and matrix tell a tensor from its neighbours
    setSortingEnabled(true);
    setItemDelegateForColumn(WeightListModel::Distribution, new LittleHistogram(this));
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setAccessibleName(tr("Tensors"));
    setToolTip(plainToolTip(
        tr("Tensors of the newest checkpoint. Select one, or with Ctrl or Shift up to four, to see how their "
           "numbers moved. A click on a heading sorts.")));
    connect(&Theme::instance(), &Theme::changed, viewport(), qOverload<>(&QWidget::update));
}

void WeightTable::setModels(WeightFilter* filter)
{
    setModel(filter);
    sortByColumn(WeightListModel::Tensor, Qt::AscendingOrder);
    auto* head = horizontalHeader();
    head->setSectionResizeMode(QHeaderView::Fixed);
    head->setSectionResizeMode(WeightListModel::Tensor, QHeaderView::Stretch);
    fitColumns();
}

/// Shapes stand where there is room for them; the tool tips have them always.
void WeightTable::fitColumns()
{
    if (!model()) return;
    const auto text = [&](const char* sample) {
        return fontMetrics().horizontalAdvance(QLatin1String(sample)) + 16; // and what stands around it
    };
    const int name = text("L10 attention.temperature"), shape = text("50257 x 768"), rms = text("1.23e-05"),
              change = text("Change x"), little = std::clamp(viewport()->width() / 6, 48, 110);
    setColumnHidden(WeightListModel::Shape, viewport()->width() < name + shape + rms + change + little);
    setColumnWidth(WeightListModel::Shape, shape);
    setColumnWidth(WeightListModel::Rms, rms);
    setColumnWidth(WeightListModel::Change, change);
    setColumnWidth(WeightListModel::Distribution, little);
}

void WeightTable::resizeEvent(QResizeEvent* event)
{
    QTableView::resizeEvent(event);
    fitColumns();
}

} // namespace pha::ui
