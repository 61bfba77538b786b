// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/controls/folding_splitter.h"

#include <QResizeEvent>

#include <algorithm>

namespace pha::ui {

FoldingSplitter::FoldingSplitter(QWidget* parent, const char* name)
    : QSplitter(Qt::Horizontal, parent)
{
    setObjectName(QLatin1String(name));
    setChildrenCollapsible(false);
    setHandleWidth(10);
}

void FoldingSplitter::setWidths(const QList<int>& widths)
{
    sideBySide_ = widths;
    setSizes(widths);
}

std::vector<QSize> FoldingSplitter::least() const
{
    std::vector<QSize> all;
    for (int i = 0; i < count(); ++i)
        if (!widget(i)->isHidden()) all.push_back(widget(i)->minimumSizeHint().expandedTo(widget(i)->minimumSize()));
    return all;
}

QSize FoldingSplitter::minimumSizeHint() const
{
    QSize all(0, 0);
    for (const auto& part : least()) {
        all.setWidth(std::max(all.width(), part.width()));
        if (orientation() == Qt::Horizontal)
            all.setHeight(std::max(all.height(), part.height()));
        else // one scrolls then anyway: half more than the least, for what has lines
            all.setHeight(all.height() + (all.height() > 0 ? handleWidth() : 0) + part.height() * 3 / 2);
    }
    return all;
}

void FoldingSplitter::resizeEvent(QResizeEvent* event)
{
    int needed = -handleWidth();
    for (const auto& part : least()) needed += handleWidth() + part.width();
    const auto wanted = event->size().width() < needed ? Qt::Vertical : Qt::Horizontal;
    if (wanted != orientation()) {
        const auto before = sizes();
        if (wanted == Qt::Vertical && isVisible()) sideBySide_ = before;
        setOrientation(wanted);
        setSizes(sideBySide_.isEmpty() ? before : sideBySide_); // in these shares
    }
    QSplitter::resizeEvent(event);
}

} // namespace pha::ui
