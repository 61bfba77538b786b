// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/folding_splitter.h"

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

QSize FoldingSplitter::least(int part) const
{
    return widget(part)->minimumSizeHint().expandedTo(widget(part)->minimumSize());
}

QSize FoldingSplitter::minimumSizeHint() const
{
    QSize all(0, 0);
    for (int i = 0; i < count(); ++i) {
        all.setWidth(std::max(all.width(), least(i).width()));
        if (orientation() == Qt::Horizontal)
            all.setHeight(std::max(all.height(), least(i).height()));
        else // one scrolls then anyway: half more than the least, for what has lines
            all.setHeight(all.height() + (i > 0 ? handleWidth() : 0) + least(i).height() * 3 / 2);
    }
    return all;
}

void FoldingSplitter::resizeEvent(QResizeEvent* event)
{
    int sideBySide = (count() - 1) * handleWidth();
    for (int i = 0; i < count(); ++i) sideBySide += least(i).width();
    const auto wanted = event->size().width() < sideBySide ? Qt::Vertical : Qt::Horizontal;
    if (wanted != orientation()) {
        const auto before = sizes();
        setOrientation(wanted);
        setSizes(before); // in these shares
    }
    QSplitter::resizeEvent(event);
}

} // namespace pha::ui
