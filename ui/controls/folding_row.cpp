// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/controls/folding_row.h"

#include <QBoxLayout>
#include <QEvent>

#include <algorithm>

namespace pha::ui {

FoldingRow::FoldingRow(QWidget* parent)
    : QWidget(parent)
    , groups_(new QBoxLayout(QBoxLayout::LeftToRight, this))
{
    groups_->setContentsMargins(0, 0, 0, 0);
    groups_->setSpacing(6);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
}

void FoldingRow::add(const QList<QWidget*>& group)
{
    auto* line = new QHBoxLayout;
    line->setSpacing(6);
    bool filled = false;
    for (auto* widget : group) {
        const auto policy = widget->sizePolicy().horizontalPolicy();
        const bool grows = policy == QSizePolicy::Ignored || policy == QSizePolicy::Expanding;
        line->addWidget(widget, grows);
        filled |= grows;
    }
    if (!filled) line->addStretch(1);
    for (int i = 0; i < groups_->count(); ++i) groups_->setStretch(i, 0);
    groups_->addLayout(line, 1);
}

QSize FoldingRow::minimumSizeHint() const
{
    int widest = 0;
    for (int i = 0; i < groups_->count(); ++i) widest = std::max(widest, groups_->itemAt(i)->minimumSize().width());
    return { widest, groups_->minimumSize().height() };
}

bool FoldingRow::event(QEvent* event)
{
    if (event->type() == QEvent::Resize || event->type() == QEvent::LayoutRequest) {
        int needed = -groups_->spacing();
        for (int i = 0; i < groups_->count(); ++i)
            needed += groups_->spacing() + groups_->itemAt(i)->minimumSize().width();
        groups_->setDirection(width() < needed ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
    }
    return QWidget::event(event);
}

} // namespace pha::ui
