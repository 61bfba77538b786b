// SPDX-License-Identifier: GPL-3.0-or-later
// CostChart: pointer and keys.
#include "ui/charts/qcustomplot_include.h"
#include "ui/inspect/cost_chart.h"

#include <QApplication>
#include <QKeyEvent>
#include <QLineF>
#include <QMouseEvent>

#include <algorithm>
#include <numeric>

namespace pha::ui {

namespace {
constexpr double grip = 12; ///< pixels from a dot that still mean it
}

int CostChart::nearest(const QPointF& at) const
{
    int found = -1;
    double least = grip;
    for (int i = 0; costs_ && i < int(costs_->cells.size()); ++i)
        if (const double far = QLineF(at, dot(i)).length(); far < least) least = far, found = i;
    return found;
}

std::vector<int> CostChart::byCost() const
{
    std::vector<int> order(costs_ ? costs_->cells.size() : 0);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [this](int a, int b) {
        return costOf(costs_->cells[std::size_t(a)], axis_) < costOf(costs_->cells[std::size_t(b)], axis_);
    });
    return order;
}

void CostChart::press(const QMouseEvent& event)
{
    pressing_ = true;
    dragging_ = false;
    pressed_ = event.pos();
    QWidget::setFocus(Qt::MouseFocusReason);
}

void CostChart::drag(const QPoint& at)
{
    dragging_ = dragging_ || (at - pressed_).manhattanLength() >= QApplication::startDragDistance();
    if (!dragging_) return;
    const QRect area = QRect(pressed_, at).normalized();
    band_->topLeft->setCoords(area.topLeft());
    band_->bottomRight->setCoords(area.bottomRight());
    band_->setVisible(true);
    requestRedraw();
}

void CostChart::release(const QMouseEvent& event)
{
    pressing_ = false;
    band_->setVisible(false);
    const bool more = event.modifiers().testFlag(Qt::ControlModifier);
    auto cells = more ? selected_ : std::vector<int>();
    if (dragging_) {
        const QRectF area(QRect(pressed_, event.pos()).normalized());
        for (int i = 0; i < int(costs_->cells.size()); ++i)
            if (area.contains(dot(i))) cells.push_back(i);
        choose(std::move(cells));
    } else if (const int cell = nearest(event.position()); cell >= 0 && more) {
        toggle(cell);
    } else {
        choose(cell >= 0 ? std::vector<int> { cell } : std::vector<int>());
    }
    requestRedraw(); // the rectangle goes also where nothing else changes
}

bool CostChart::eventFilter(QObject* watched, QEvent* event)
{
    if (watched != plot() || !costs_) return ChartFrame::eventFilter(watched, event);
    const auto* mouse = dynamic_cast<QMouseEvent*>(event);
    if (event->type() == QEvent::MouseButtonPress && mouse->button() == Qt::LeftButton)
        press(*mouse);
    else if (event->type() == QEvent::MouseMove && pressing_)
        drag(mouse->pos());
    else if (event->type() == QEvent::MouseMove)
        setCursor(nearest(mouse->position()));
    else if (event->type() == QEvent::MouseButtonRelease && pressing_ && mouse->button() == Qt::LeftButton)
        release(*mouse);
    else if (event->type() == QEvent::Leave && !pressing_)
        setCursor(-1);
    return false;
}

void CostChart::keyPressEvent(QKeyEvent* event)
{
    const auto order = byCost();
    const auto key = event->key();
    const int step = key == Qt::Key_Right || key == Qt::Key_Down ? 1
        : key == Qt::Key_Left || key == Qt::Key_Up               ? -1
                                                                 : 0;
    if (order.empty()) {
        ChartFrame::keyPressEvent(event);
    } else if (event->matches(QKeySequence::SelectAll)) {
        choose(order);
    } else if (step != 0) {
        const auto at = std::find(order.begin(), order.end(), cursor_);
        const auto now = at == order.end() ? (step > 0 ? -1 : std::ptrdiff_t(order.size())) : at - order.begin();
        setCursor(order[std::size_t(std::clamp<std::ptrdiff_t>(now + step, 0, std::ptrdiff_t(order.size()) - 1))]);
    } else if (key == Qt::Key_Space && cursor_ >= 0) {
        toggle(cursor_);
    } else {
        ChartFrame::keyPressEvent(event);
    }
}

void CostChart::focusOutEvent(QFocusEvent* event)
{
    setCursor(-1);
    ChartFrame::focusOutEvent(event);
}

} // namespace pha::ui
