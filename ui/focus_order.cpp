// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/focus_order.h"

#include <QAbstractItemView>
#include <QAbstractSpinBox>
#include <QApplication>
#include <QComboBox>
#include <QDockWidget>
#include <QGridLayout>
#include <QMainWindow>
#include <QScrollArea>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabBar>
#include <QTabWidget>
#include <QTextEdit>
#include <QToolBar>

#include <algorithm>

namespace pha::ui {

namespace {

class Reader {
public:
    explicit Reader(const QWidget* always)
        : always_(always)
    {
    }

    void read(QWidget* widget)
    {
        if (!widget || !widget->isVisible() || widget->isWindow()) return;
        const bool visited = widget->isEnabled() && (widget->focusPolicy() & Qt::TabFocus) && !widget->focusProxy();
        if (visited || widget == always_) found << widget;
        if (auto* tabs = qobject_cast<QTabWidget*>(widget)) {
            read(tabs->tabBar());
            read(tabs->currentWidget());
        } else if (auto* stack = qobject_cast<QStackedWidget*>(widget)) {
            read(stack->currentWidget());
        } else if (auto* splitter = qobject_cast<QSplitter*>(widget)) {
            for (int i = 0; i < splitter->count(); ++i) read(splitter->widget(i));
        } else if (auto* area = qobject_cast<QScrollArea*>(widget)) {
            read(area->widget());
        } else if (auto* dock = qobject_cast<QDockWidget*>(widget)) {
            read(dock->titleBarWidget());
            read(dock->widget());
        } else if (!qobject_cast<QAbstractScrollArea*>(widget) && !qobject_cast<QAbstractSpinBox*>(widget)
            && !qobject_cast<QComboBox*>(widget)) { // whose parts are their own affair
            read(widget->layout());
        }
    }

    QList<QWidget*> found;

private:
    void read(QLayout* layout)
    {
        if (!layout) return;
        QList<QLayoutItem*> items;
        for (int i = 0; i < layout->count(); ++i) items << layout->itemAt(i);
        if (auto* grid = qobject_cast<QGridLayout*>(layout)) {
            const auto place = [grid](QLayoutItem* item) {
                int row = 0, column = 0, rows = 0, columns = 0;
                grid->getItemPosition(grid->indexOf(item), &row, &column, &rows, &columns);
                return std::pair(row, column);
            };
            std::stable_sort(
                items.begin(), items.end(), [&](QLayoutItem* a, QLayoutItem* b) { return place(a) < place(b); });
        }
        for (auto* item : items) {
            read(item->widget());
            read(item->layout());
        }
    }

    const QWidget* always_;
};

template <class... Kinds> QList<QWidget*> visibleChildren(const QMainWindow* window)
{
    QList<QWidget*> list;
    for (auto* widget : window->findChildren<QWidget*>(QString(), Qt::FindDirectChildrenOnly))
        if ((qobject_cast<Kinds*>(widget) || ...) && widget->isVisible() && !widget->isWindow()) list << widget;
    return list;
}

void moveFocus(QWidget* to, Qt::FocusReason reason)
{
    to->setFocus(reason);
    for (auto* up = to->parentWidget(); up; up = up->parentWidget())
        if (auto* area = qobject_cast<QScrollArea*>(up)) area->ensureWidgetVisible(to);
}

} // namespace

QList<QWidget*> focusOrder(const QMainWindow* window, const QWidget* always)
{
    Reader reader(always);
    auto bars = visibleChildren<QToolBar>(window);
    std::stable_sort(bars.begin(), bars.end(), [](auto* a, auto* b) { return a->y() < b->y(); });
    auto panels = visibleChildren<QDockWidget, QTabBar>(window);
    std::stable_sort(panels.begin(), panels.end(),
        [](auto* a, auto* b) { return std::pair(a->x(), a->y()) < std::pair(b->x(), b->y()); });
    for (auto* widget : bars + panels) reader.read(widget);
    reader.read(window->centralWidget());
    return reader.found;
}

bool focusNeighbour(const QMainWindow* window, bool next)
{
    const auto* from = QApplication::focusWidget();
    const auto order = focusOrder(window, from);
    const auto at = order.indexOf(from);
    if (at < 0) return false;
    auto* to = order[(at + (next ? 1 : order.size() - 1)) % order.size()];
    moveFocus(to, next ? Qt::TabFocusReason : Qt::BacktabFocusReason);
    return true;
}

bool focusInside(QWidget* area)
{
    Reader reader(nullptr);
    reader.read(area);
    if (reader.found.isEmpty()) return false;
    const auto standsFor = [area](const QWidget* widget) {
        for (auto* up = widget->parentWidget(); up; up = up == area ? nullptr : up->parentWidget())
            if (up->focusProxy() == widget) return true;
        return false;
    };
    const auto chosen = std::find_if(reader.found.begin(), reader.found.end(), standsFor);
    moveFocus(chosen == reader.found.end() ? reader.found.front() : *chosen, Qt::ShortcutFocusReason);
    return true;
}

} // namespace pha::ui
