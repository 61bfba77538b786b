// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/activation_table.h"

#include "ui/controls/table_tools.h"
#include "ui/controls/token_view.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QHeaderView>
#include <QPainter>

#include <algorithm>
#include <cmath>
#include <utility>

namespace pha::ui {

namespace {

enum Column { Place, Values, Rms, Largest, Alike, columns };

QColor colourOf(const ActivationFigures& figures)
{
    if (!figures.part.empty()) return partColour(fromUtf8(figures.part));
    return figures.layer < 0 ? partColour(QStringLiteral("embedding")) : Theme::instance().colours().muted;
}

QString placeTitle(const ActivationFigures& figures)
{
    if (figures.part.empty())
        return figures.layer < 0 ? partTitle(QStringLiteral("embedding"))
                                 : ActivationTable::tr("After L%1").arg(figures.layer);
    const auto title = QStringLiteral("L%1 %2").arg(figures.layer).arg(partTitle(fromUtf8(figures.part)));
    return figures.hidden ? ActivationTable::tr("%1 hidden").arg(title) : title;
}

QString timesRms(const ActivationFigures& figures)
{
    const double times = figures.rms > 0 ? std::abs(figures.largest) / figures.rms : 0;
    return ActivationTable::tr("%1\u00d7").arg(formatFixed(times, times < 100 ? 1 : 0));
}

} // namespace

void HistogramDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    const auto counts = index.data(Counts).toList();
    if (counts.isEmpty()) return;
    const auto& c = Theme::instance().colours();
    double most = 0;
    for (const auto& count : counts) most = std::max(most, count.toDouble());
    painter->save();
    const auto box = QRectF(option.rect).adjusted(4, 2, -4, -3);
    painter->setPen(QPen(c.reference, 1));
    painter->drawLine(QPointF(box.center().x(), box.top()), QPointF(box.center().x(), box.bottom()));
    painter->setPen(Qt::NoPen);
    painter->setBrush(mixed(c.surface, index.data(Colour).value<QColor>(), c.dark ? 0.75 : 0.65));
    const double width = box.width() / double(counts.size());
    for (int i = 0; i < counts.size(); ++i) {
        const double height = std::log1p(counts[i].toDouble()) / std::log1p(most) * box.height();
        if (height > 0) painter->drawRect(QRectF(box.left() + i * width, box.bottom() - height, width, height));
    }
    painter->restore();
}

ActivationTable::ActivationTable(QWidget* parent)
    : QTableWidget(0, columns, parent)
{
    styleTable(this);
    makeCopyable(this);
    setSelectionMode(QAbstractItemView::SingleSelection);
    setItemDelegate(new CellDelegate(this));
    setItemDelegateForColumn(Values, new HistogramDelegate(this));
    const std::pair<QString, QString> heads[columns] {
        { tr(" Place"),
            tr("The stream after the embedding and after each layer; what each part puts out, before its mixing "
               "weight; "
               "hidden: the inside of feed-forward networks, behind their nonlinearity") },
        { tr("Values"),
            tr("From \u22128 to 8 times the root mean square; heights are logarithmic, and the outermost bars hold all "
               "that lies beyond") },
        { tr("RMS"), tr("Root mean square over all tokens and channels") },
        { tr("Max"), tr("The largest magnitude, as a multiple of the root mean square") },
        { tr("Alike"),
            tr("Cosine of what the part adds to the stream with what the other parts of its layer add: 1 if they say "
               "the same, 0 if they have nothing to do with each other, below if they take back what the others "
               "write") }
    };
    for (int column = 0; column < columns; ++column) {
        auto* head = new QTableWidgetItem(heads[column].first);
        head->setToolTip(plainToolTip(heads[column].second));
        const auto side = column == Place ? Qt::AlignLeft : column == Values ? Qt::AlignHCenter : Qt::AlignRight;
        head->setTextAlignment(side | Qt::AlignVCenter);
        setHorizontalHeaderItem(column, head);
    }
    horizontalHeader()->setStyleSheet(
        QStringLiteral("QHeaderView::section { padding-left: 2px; padding-right: 4px; font-weight: normal; }"));
    horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    fitColumns();
    setAccessibleName(tr("How large the numbers are"));
    setToolTip(tr("How large the numbers are while the text is read, place by place. Enter or a double click goes to "
                  "the token with the largest one."));
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        paintCells();
        fitColumns();
    });
    connect(this, &QTableWidget::currentCellChanged, this, [this](int row) {
        if (row >= 0) Q_EMIT rowChosen();
    });
}

void ActivationTable::setLook(const LookPtr& look)
{
    const QSignalBlocker quiet(this); // what was chosen belongs to another text
    look_ = look;
    clearContents();
    setRowCount(look ? int(look->activations.size()) : 0);
    for (int row = 0; row < rowCount(); ++row) {
        const auto& figures = look->activations[std::size_t(row)];
        const QString texts[columns] { placeTitle(figures), {}, formatNumber(figures.rms, 3), timesRms(figures),
            figures.alike ? formatFixed(*figures.alike, 2) : QString() };
        for (int column = 0; column < columns; ++column) {
            auto* cell = new QTableWidgetItem(texts[column]);
            if (column > Place)
                cell->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
            else
                cell->setToolTip(plainToolTip(texts[column]));
            setItem(row, column, cell);
        }
        QVariantList counts;
        for (const auto count : figures.histogram) counts << double(count);
        item(row, Values)->setData(HistogramDelegate::Counts, counts);
    }
    setCurrentItem(nullptr);
    paintCells();
    fitColumns();
}

/// What is left belongs to the histograms. Where that is less than their heading takes, names of places are cut.
void ActivationTable::fitColumns()
{
    auto* header = horizontalHeader();
    const int least = fontMetrics().horizontalAdvance(horizontalHeaderItem(Values)->text()) + 20;
    int others = 0;
    for (int column = 0; column < columns; ++column)
        if (column != Values) others += std::max(sizeHintForColumn(column), header->sectionSizeHint(column));
    const bool wide = viewport()->width() - others >= least;
    header->setSectionResizeMode(Place, wide ? QHeaderView::ResizeToContents : QHeaderView::Stretch);
    header->setSectionResizeMode(Values, wide ? QHeaderView::Stretch : QHeaderView::Fixed);
    if (!wide) header->resizeSection(Values, least);
}

void ActivationTable::resizeEvent(QResizeEvent* event)
{
    QTableWidget::resizeEvent(event);
    fitColumns();
}

void ActivationTable::paintCells()
{
    for (int row = 0; row < rowCount(); ++row) {
        const auto colour = colourOf(look_->activations[std::size_t(row)]);
        item(row, Place)->setData(Qt::DecorationRole, colour);
        item(row, Values)->setData(HistogramDelegate::Colour, colour);
    }
}

const ActivationFigures* ActivationTable::current() const
{
    return look_ && currentRow() >= 0 ? &look_->activations[std::size_t(currentRow())] : nullptr;
}

int ActivationTable::tokenOfLargest() const
{
    const auto* figures = current();
    return figures ? int(figures->largestToken) : -1;
}

QString ActivationTable::reading() const
{
    const auto* figures = current();
    if (!figures) return {};
    const auto token = figures->largestToken;
    QStringList sentences {
        tr("%1: largest %2, %3 the rms, in channel %4 of %5 at token %6, \u201c%7\u201d. Kurtosis %8.")
            .arg(placeTitle(*figures), formatNumber(figures->largest, 3), timesRms(*figures),
                QString::number(figures->largestChannel), formatCount(figures->channels), QString::number(token + 1),
                visibleToken(look_->tokens[std::size_t(token)].text), formatNumber(figures->kurtosis, 3))
    };
    if (figures->outliers > 0)
        sentences << tr("Channels over six times as large as the median one: %1.").arg(formatCount(figures->outliers));
    if (figures->silent > 0)
        sentences << tr("Channels that stay below a hundredth of the rms: %1.").arg(formatCount(figures->silent));
    if (figures->notFinite > 0)
        sentences << tr("Numbers that are not finite: %1.").arg(formatCount(figures->notFinite));
    return sentences.join(QLatin1Char(' '));
}

QString ActivationTable::csv(const InsideView& look)
{
    QStringList head { QStringLiteral("layer"), QStringLiteral("part"), QStringLiteral("place"),
        QStringLiteral("channels"), QStringLiteral("not_finite"), QStringLiteral("rms"), QStringLiteral("kurtosis"),
        QStringLiteral("largest"), QStringLiteral("largest_token"), QStringLiteral("largest_channel"),
        QStringLiteral("outlying_channels"), QStringLiteral("silent_channels"), QStringLiteral("alike") };
    const auto number = [](double x) { return QString::number(x, 'g', 9); };
    for (int bin = 0; bin < ActivationFigures::bins; ++bin)
        head << QStringLiteral("from_%1_rms").arg((bin - ActivationFigures::bins / 2) / 4.0);
    auto out = csvLine(head);
    for (const auto& figures : look.activations) {
        QStringList line { figures.layer < 0 ? QString() : QString::number(figures.layer), fromUtf8(figures.part),
            fromUtf8(figures.place()), QString::number(figures.channels), QString::number(figures.notFinite),
            number(figures.rms), number(figures.kurtosis), number(figures.largest),
            QString::number(figures.largestToken), QString::number(figures.largestChannel),
            QString::number(figures.outliers), QString::number(figures.silent),
            figures.alike ? number(*figures.alike) : QString() };
        for (const auto count : figures.histogram) line << QString::number(count);
        out += csvLine(line);
    }
    return out;
}

} // namespace pha::ui
