// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/mixing_bars.h"

#include "ui/format.h"
#include "ui/look/theme.h"

#include <QCoreApplication>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QScrollBar>
#include <QToolTip>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

constexpr int pad = 8;

} // namespace

MixingBars::MixingBars(QWidget* parent)
    : QAbstractScrollArea(parent)
{
    setObjectName(QStringLiteral("mixingBars"));
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setAccessibleName(tr("Mixing weights of the layers"));
    setAccessibleDescription(tr("Arrow keys choose a layer"));
    viewport()->setMouseTracking(true);
    viewport()->setAutoFillBackground(false);
}

void MixingBars::setLayers(const std::vector<LayerMix>& layers)
{
    layers_ = layers;
    if (selected_ >= int(layers_.size())) selected_ = -1;
    setQuantity(quantity_);
    layOut();
}

void MixingBars::setQuantity(MixQuantity quantity)
{
    quantity_ = quantity;
    summary_ = summarise(layers_, quantity);
    scale_ = quantity == MixQuantity::Share ? 1 : 1e-9;
    largest_ = 1e-9;
    for (const auto& layer : layers_) {
        double sum = 0;
        for (const auto& b : layer.branches) {
            const double value = mixValue(b, quantity);
            if (!std::isfinite(value)) continue;
            sum += std::max(0., value);
            largest_ = std::max(largest_, value);
        }
        if (quantity != MixQuantity::Share) scale_ = std::max(scale_, sum);
    }
    chooseDecimals();
    viewport()->update();
}

void MixingBars::setHeatMap(bool on)
{
    heatMap_ = on;
    chooseDecimals();
    viewport()->update();
}

void MixingBars::setSelected(int layer)
{
    selected_ = std::clamp(layer, -1, int(layers_.size()) - 1);
    const auto rect = rowRect(selected_ + 1);
    if (rect.top() < 0) verticalScrollBar()->setValue(verticalScrollBar()->value() + rect.top());
    if (rect.bottom() > viewport()->height())
        verticalScrollBar()->setValue(verticalScrollBar()->value() + rect.bottom() - viewport()->height());
    setAccessibleDescription(describe(selected_ + 1));
    viewport()->update();
}

int MixingBars::rowHeight() const
{
    const int least = fontMetrics().height() + 4;
    return rows() == 0 ? least : std::clamp(viewport()->height() / rows(), least, least + 14);
}

QRect MixingBars::rowRect(int row) const
{
    return QRect(0, row * rowHeight() - verticalScrollBar()->value(), viewport()->width(), rowHeight());
}

QRectF MixingBars::barRect(int row) const
{
    const auto metrics = fontMetrics();
    auto chosen = font();
    chosen.setBold(true); // as the name of the chosen row is
    const int left = pad + QFontMetrics(chosen).horizontalAdvance(rowName(0)) + 10;
    const int right = metrics.horizontalAdvance(QStringLiteral("0.00")) + 10 + pad;
    const auto rect = QRectF(rowRect(row)).adjusted(left, 1.5, -right, -1.5);
    return rect;
}

int MixingBars::branchCount(int row) const
{
    return row == 0 ? int(summary_.branches.size()) : int(layers_[std::size_t(row - 1)].branches.size());
}

QString MixingBars::branchName(int row, int branch) const
{
    return row == 0 ? summary_.branches[branch]
                    : fromUtf8(layers_[std::size_t(row - 1)].branches[std::size_t(branch)].branch);
}

double MixingBars::valueOf(int row, int branch) const
{
    if (mixed() && !mixes(row) && quantity_ != MixQuantity::Contribution) return std::nan("");
    return row == 0 ? summary_.mean[branch]
                    : mixValue(layers_[std::size_t(row - 1)].branches[std::size_t(branch)], quantity_);
}

bool MixingBars::mixes(int row) const { return row == 0 ? mixed() : layers_[std::size_t(row - 1)].mixed; }

double MixingBars::entropyOf(int row) const
{
    return row == 0 ? summary_.entropy : layers_[std::size_t(row - 1)].entropy;
}

QVector<MixingBars::Segment> MixingBars::segments(int row) const
{
    QVector<Segment> result;
    const auto bar = barRect(row);
    const int n = branchCount(row);
    double x = bar.left();
    for (int i = 0; i < n; ++i) {
        const double value = valueOf(row, i);
        Segment s { QRectF(x, bar.top(), segmentWidth(row, i), bar.height()), {}, i };
        QStringList texts { mixText(value, quantity_, decimals_) };
        if (row == 0 && quantity_ == MixQuantity::Share)
            texts.prepend(
                QStringLiteral("%1 ± %2").arg(value * 100, 0, 'f', 1).arg(summary_.deviation[i] * 100, 0, 'f', 1));
        else if (row == 0)
            texts.prepend(QStringLiteral("%1 ± %2").arg(value, 0, 'f', 2).arg(summary_.deviation[i], 0, 'f', 2));
        for (const auto& text : texts)
            if (s.text.isEmpty() && fontMetrics().horizontalAdvance(text) + 8 <= s.rect.width()) s.text = text;
        result << s;
        x += s.rect.width();
    }
    return result;
}

double MixingBars::segmentWidth(int row, int branch) const
{
    const double value = valueOf(row, branch), whole = barRect(row).width();
    if (heatMap_) return whole / branchCount(row);
    return std::isfinite(value) ? std::max(0., whole) * std::clamp(value / scale_, 0., 1.) : 0;
}

/// One number of digits for all rows: a column of figures that changes its form from row to row cannot be compared.
void MixingBars::chooseDecimals()
{
    const int fine = fontMetrics().horizontalAdvance(mixText(0.444, quantity_, 1)) + 8;
    const int coarse = fontMetrics().horizontalAdvance(mixText(0.444, quantity_, 0)) + 8;
    decimals_ = 1;
    for (int row = 1; row < rows(); ++row)
        for (int i = 0; i < branchCount(row); ++i)
            if (const double width = segmentWidth(row, i); width >= coarse && width < fine) decimals_ = 0;
}

int MixingBars::rowAt(const QPoint& place) const
{
    const int row = (place.y() + verticalScrollBar()->value()) / rowHeight();
    return row >= 0 && row < rows() ? row : -1;
}

void MixingBars::choose(int layer)
{
    setSelected(layer);
    Q_EMIT layerChosen(selected_);
}

void MixingBars::mousePressEvent(QMouseEvent* event)
{
    const int row = rowAt(event->pos());
    if (event->button() == Qt::LeftButton && row >= 0) choose(row - 1);
}

void MixingBars::keyPressEvent(QKeyEvent* event)
{
    const int last = int(layers_.size()) - 1, page = std::max(1, viewport()->height() / rowHeight() - 1);
    switch (event->key()) {
    case Qt::Key_Up:
        return choose(selected_ - 1);
    case Qt::Key_Down:
        return choose(selected_ + 1);
    case Qt::Key_PageUp:
        return choose(selected_ - page);
    case Qt::Key_PageDown:
        return choose(selected_ + page);
    case Qt::Key_Home:
        return choose(-1);
    case Qt::Key_End:
        return choose(last);
    default:
        QAbstractScrollArea::keyPressEvent(event);
    }
}

bool MixingBars::viewportEvent(QEvent* event)
{
    if (event->type() != QEvent::ToolTip) return QAbstractScrollArea::viewportEvent(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    const int row = rowAt(help->pos());
    if (row < 0)
        QToolTip::hideText();
    else
        QToolTip::showText(help->globalPos(), plainToolTip(describe(row)), viewport(), rowRect(row));
    return true;
}

void MixingBars::layOut()
{
    chooseDecimals();
    verticalScrollBar()->setPageStep(viewport()->height());
    verticalScrollBar()->setSingleStep(rowHeight());
    verticalScrollBar()->setRange(0, std::max(0, rows() * rowHeight() - viewport()->height()));
    viewport()->update();
}

void MixingBars::resizeEvent(QResizeEvent*) { layOut(); }

void MixingBars::changeEvent(QEvent* event)
{
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) layOut();
}

QSize MixingBars::sizeHint() const { return QSize(320, (fontMetrics().height() + 10) * std::clamp(rows(), 5, 13)); }

QSize MixingBars::minimumSizeHint() const { return QSize(180, (fontMetrics().height() + 4) * 3); }

} // namespace pha::ui
