// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/push_table.h"

#include "ui/controls/table_tools.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QHeaderView>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace pha::ui {

void PushDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    const auto share = index.data(Share);
    if (!share.isValid()) return; // the layer has no such part
    const auto& c = Theme::instance().colours();
    const auto colour = partColour(index.data(Part).toString());
    const bool selected = option.state & QStyle::State_Selected;
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const auto box = QRectF(option.rect).adjusted(2, 2, -2, -2);
    painter->setPen(selected ? QPen(c.accent, 1.5) : QPen(Qt::NoPen));
    painter->setBrush(mixed(c.surface, c.text, 0.05));
    painter->drawRoundedRect(box, 3, 3);
    const double middle = box.center().x(), length = std::clamp(share.toDouble(), -1.0, 1.0) * (box.width() / 2 - 1);
    painter->setPen(Qt::NoPen);
    painter->setBrush(mixed(c.surface, colour, c.dark ? 0.5 : 0.42));
    if (std::abs(length) >= 0.5)
        painter->drawRect(QRectF(std::min(middle, middle + length), box.top() + 1, std::abs(length), box.height() - 2));
    painter->setPen(QPen(c.reference, 1));
    painter->drawLine(QPointF(middle, box.top() + 1), QPointF(middle, box.bottom() - 1));
    painter->setPen(c.text);
    auto small = option.font;
    small.setPointSizeF(small.pointSizeF() * 0.92);
    painter->setFont(small);
    auto text = index.data().toString();
    const auto number = index.data(Number); // its half of the cell may be too narrow for two decimals
    if (number.isValid() && QFontMetricsF(small).horizontalAdvance(text) > box.width() / 2 - 6)
        text = signedNats(number.toDouble(), 1);
    painter->drawText(
        box.adjusted(4, 0, -4, 0), int(Qt::AlignVCenter | (length < 0 ? Qt::AlignRight : Qt::AlignLeft)), text);
    painter->restore();
}

PushTable::PushTable(QWidget* parent)
    : QTableWidget(parent)
{
    styleTable(this);
    makeCopyable(this);
    setSelectionBehavior(QAbstractItemView::SelectItems);
    setItemDelegate(new PushDelegate(this));
    setItemDelegateForColumn(0, new CellDelegate(this));
    // Four names stand side by side where the panel is narrow.
    horizontalHeader()->setStyleSheet(
        QStringLiteral("QHeaderView::section { padding-left: 2px; padding-right: 2px; }"));
    setAccessibleName(tr("What each part adds to the token's logit"));
    setToolTip(tr("Nats that each part of each layer adds to the logit of the token, when it is predicted from the "
                  "tokens before it, over the mean of the vocabulary. To the right: it made the token more probable. "
                  "All of them add up to the token's logit. The rows above the layers have a scale of their own."));
    connect(&Theme::instance(), &Theme::changed, this, [this] { fill(); });
}

void PushTable::setLook(const LookPtr& look)
{
    look_ = look;
    parts_.clear();
    outside_.clear();
    layers_.clear();
    for (std::size_t i = 0; look && i < look->pushes.size(); ++i) {
        const auto& push = look->pushes[i];
        auto& names = push.layer < 0 ? outside_ : parts_;
        if (const auto part = fromUtf8(push.part); !names.contains(part)) names << part;
        if (push.layer < 0) continue;
        if (layers_.empty() || layers_.back() != push.layer) layers_.push_back(push.layer);
    }
    clearSpans();
    clear();
    setRowCount(parts_.isEmpty() ? 0 : 1 + int(outside_.size() + layers_.size()));
    setColumnCount(parts_.isEmpty() ? 0 : int(parts_.size()) + 1);
    if (parts_.isEmpty()) return;
    QStringList heads { tr("Layer") };
    for (const auto& part : parts_) heads << partTitle(part);
    setHorizontalHeaderLabels(heads);
    for (int i = 1; i < heads.size(); ++i) horizontalHeaderItem(i)->setToolTip(plainToolTip(heads[i]));
    horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    horizontalHeader()->setSectionResizeMode(0, QHeaderView::ResizeToContents);
    for (int i = 0; parts_.size() > 1 && i < outside_.size(); ++i) setSpan(1 + i, 1, 1, int(parts_.size()));
    for (int row = 0; row < rowCount(); ++row) {
        const int layer = row - 1 - int(outside_.size());
        auto* head = new QTableWidgetItem(row == 0 ? tr("all")
                : layer < 0                        ? QStringLiteral("\u2013")
                                                   : QStringLiteral("L%1").arg(layers_[std::size_t(layer)]));
        head->setFlags(Qt::ItemIsEnabled);
        setItem(row, 0, head);
    }
    fill();
}

void PushTable::setToken(int token)
{
    if (token == token_) return;
    token_ = token;
    fill();
}

void PushTable::bar(int row, int column, double nats, double share, const QString& part, const QString& where)
{
    auto* cell = item(row, column);
    if (!cell) setItem(row, column, cell = new QTableWidgetItem);
    const bool named = row > 0 && row <= outside_.size(); // no column says what it is
    cell->setText(named ? QStringLiteral("%1 %2").arg(partTitle(part), signedNats(nats)) : signedNats(nats));
    cell->setData(PushDelegate::Number, named ? QVariant() : QVariant(nats));
    cell->setData(PushDelegate::Share, share);
    cell->setData(PushDelegate::Part, part);
    cell->setToolTip(plainToolTip(tr("%1: %2 nats").arg(where, signedNats(nats, 3))));
}

void PushTable::fill()
{
    if (!look_ || rowCount() == 0) return;
    const auto& c = Theme::instance().colours();
    for (int row = 0; row < rowCount(); ++row) item(row, 0)->setForeground(row == 0 ? c.text : c.muted);
    std::vector<double> totals(std::size_t(parts_.size()), 0);
    double longest = 1e-9, longestTotal = 1e-9;
    for (const auto& push : look_->pushes) {
        const double nats = pushOf(push, token_);
        auto& most = push.layer < 0 ? longestTotal : longest; // an embedding may push more than any layer does
        most = std::max(most, std::abs(nats));
        if (push.layer >= 0) totals[std::size_t(parts_.indexOf(fromUtf8(push.part)))] += nats;
    }
    for (const double total : totals) longestTotal = std::max(longestTotal, std::abs(total));
    for (int p = 0; p < int(parts_.size()); ++p)
        bar(0, p + 1, totals[std::size_t(p)], totals[std::size_t(p)] / longestTotal, parts_[p],
            tr("%1 in all layers").arg(partTitle(parts_[p])));
    for (const auto& push : look_->pushes) {
        const auto part = fromUtf8(push.part);
        const double nats = pushOf(push, token_);
        if (push.layer < 0) { // its cell is as wide as all the others: a nat is as long as above
            bar(1 + int(outside_.indexOf(part)), 1, nats, nats / longestTotal / double(parts_.size()), part,
                partTitle(part));
            continue;
        }
        const auto row = std::find(layers_.begin(), layers_.end(), push.layer) - layers_.begin();
        bar(1 + int(outside_.size()) + int(row), int(parts_.indexOf(part)) + 1, nats, nats / longest, part,
            tr("%1 of layer %2").arg(partTitle(part)).arg(push.layer));
    }
}

QString PushTable::csv(const InsideView& look)
{
    auto out = csvLine({ QStringLiteral("position"), QStringLiteral("token_id"), QStringLiteral("token"),
        QStringLiteral("probability"), QStringLiteral("layer"), QStringLiteral("part"), QStringLiteral("nats") });
    for (std::size_t t = 1; t < look.tokens.size(); ++t) { // the first was predicted from nothing
        const auto& token = look.tokens[t];
        for (const auto& push : look.pushes)
            out += csvLine({ QString::number(t), QString::number(token.id), fromUtf8(token.text),
                QString::number(token.probability, 'g', 9), push.layer < 0 ? QString() : QString::number(push.layer),
                fromUtf8(push.part), QString::number(pushOf(push, int(t)), 'g', 9) });
    }
    return out;
}

} // namespace pha::ui
