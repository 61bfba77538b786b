// SPDX-License-Identifier: GPL-3.0-or-later
// TimePlot: pointer, wheel, keys and the cursor.
#include "ui/charts/time_plot.h"
#include "ui/charts/time_plot_p.h"
#include "ui/claim_escape.h"

#include <QAccessible>
#include <QApplication>
#include <QKeyEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QToolTip>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

namespace pha::ui {

bool TimePlot::eventFilter(QObject* watched, QEvent* event)
{
    if (watched == plot() && mouse(event)) return true;
    return ChartFrame::eventFilter(watched, event);
}

/// True: handled here. QCustomPlot's own handling is bypassed: it would search all layers at each move.
bool TimePlot::mouse(QEvent* event)
{
    switch (event->type()) {
    case QEvent::MouseButtonPress: {
        const auto* e = static_cast<QMouseEvent*>(event);
        setFocus(Qt::MouseFocusReason);
        if (e->button() != Qt::LeftButton) return true;
        drag_->mode = e->modifiers() & Qt::ShiftModifier ? Drag::Mode::Box : Drag::Mode::Pressed;
        drag_->start = drag_->last = e->pos();
        if (drag_->mode == Drag::Mode::Box) {
            if (!drag_->band) drag_->band = new QRubberBand(QRubberBand::Rectangle, plot());
            drag_->band->setGeometry(QRect(drag_->start, QSize()));
            drag_->band->show();
        }
        return true;
    }
    case QEvent::MouseMove: {
        const auto* e = static_cast<QMouseEvent*>(event);
        if (drag_->mode == Drag::Mode::Box) {
            drag_->band->setGeometry(QRect(drag_->start, e->pos()).normalized());
        } else if (drag_->mode != Drag::Mode::None) {
            if (drag_->mode == Drag::Mode::Pressed
                && (e->pos() - drag_->start).manhattanLength() < QApplication::startDragDistance())
                return true;
            drag_->mode = Drag::Mode::Pan;
            plot()->setCursor(Qt::ClosedHandCursor);
            pan(e->pos().x() - drag_->last.x(), e->pos().y() - drag_->last.y());
            drag_->last = e->pos();
        } else {
            hover(e->position().x());
        }
        return true;
    }
    case QEvent::MouseButtonRelease: {
        const auto* e = static_cast<QMouseEvent*>(event);
        const auto mode = std::exchange(drag_->mode, Drag::Mode::None);
        plot()->unsetCursor();
        if (mode == Drag::Mode::Pressed) click(e->pos());
        if (mode != Drag::Mode::Box || !drag_->band) return true;
        drag_->band->hide();
        const auto box = QRect(drag_->start, e->pos()).normalized() & plot()->axisRect()->rect();
        if (box.width() < 5 || box.height() < 5) return true;
        auto *x = plot()->xAxis, *y = plot()->yAxis;
        yAuto_ = false;
        const double low = y->pixelToCoord(box.bottom()), high = y->pixelToCoord(box.top());
        x->setRange(x->pixelToCoord(box.left()), x->pixelToCoord(box.right()));
        y->setRange(low, high);
        userChangedView();
        return true;
    }
    case QEvent::MouseButtonDblClick:
        drag_->mode = Drag::Mode::None;
        fitAndFollow();
        Q_EMIT followRequested();
        return true;
    case QEvent::Wheel: {
        auto* e = static_cast<QWheelEvent*>(event);
        const double factor = std::pow(0.85, e->angleDelta().y() / 120.);
        const bool onAxis = e->position().x() < plot()->axisRect()->left();
        if (onAxis || e->modifiers() & Qt::ControlModifier)
            zoomY(factor, plot()->yAxis->pixelToCoord(e->position().y()));
        if (!onAxis) zoomX(factor, plot()->xAxis->pixelToCoord(e->position().x()));
        e->accept();
        return true;
    }
    case QEvent::ToolTip:
        return true; // the help text belongs to the header, not over the curves
    case QEvent::Leave:
        clearCursor();
        Q_EMIT cursorLeft();
        return false;
    default:
        return false;
    }
}

void TimePlot::hover(double pixel)
{
    const auto* rect = plot()->axisRect();
    if (pixel < rect->left() - 6 || pixel > rect->right() + 6) {
        clearCursor();
        Q_EMIT cursorLeft();
        return;
    }
    placeCursor(plot()->xAxis->pixelToCoord(pixel));
}

void TimePlot::placeCursor(double x)
{
    // On a point of the longest curve, so that the readout names a step that exists.
    const Series* longest = nullptr;
    for (const auto& s : series_)
        if (s->graph->count() > 0 && (!longest || s->graph->count() > longest->graph->count())) longest = s.get();
    if (!longest) return;
    const int n = longest->graph->count();
    int i = std::min(longest->graph->lowerBound(x), n - 1);
    if (i > 0 && x - longest->graph->key(i - 1) < longest->graph->key(i) - x) --i;
    x = longest->graph->key(i);
    setCursor(x);
    const auto near = markersNear(x);
    if (!near.isEmpty() && underMouse()) QToolTip::showText(QCursor::pos(), near.join(QLatin1Char('\n')), plot());
    Q_EMIT cursorMoved(x);
}

void TimePlot::setCursor(double x)
{
    cursorX_ = x;
    cursorShown_ = true;
    if (!isVisible()) return;
    QVector<CursorDot> dots;
    for (const auto& v : cursorValues(x)) {
        double value = v.value;
        if (logarithmic_ && value <= 0) value = find(v.series)->lowestPositive;
        dots.append({ v.x, value, v.colour });
    }
    cursor_->show(x, std::move(dots));
    plot()->layer(QStringLiteral("cursor"))->replot();
}

void TimePlot::clearCursor()
{
    if (!cursorShown_) return;
    cursorShown_ = false;
    cursor_->hide();
    if (isVisible()) plot()->layer(QStringLiteral("cursor"))->replot();
}

void TimePlot::moveCursor(int direction, bool far)
{
    const auto range = plot()->xAxis->range();
    const double pixel = range.size() / std::max(1, plot()->axisRect()->width());
    const double from = cursorShown_ ? cursorX_ : direction > 0 ? range.lower : range.upper;
    // To the next point that is at least a pixel away: on a long run each press is a visible move.
    double best = std::numeric_limits<double>::quiet_NaN();
    for (const auto& s : series_) {
        const int n = s->graph->count();
        const double wanted = from + (cursorShown_ ? direction * pixel * (far ? 25 : 1) : 0);
        int i = s->graph->lowerBound(wanted);
        if (direction < 0 && (i == n || s->graph->key(i) > wanted)) --i;
        if (i < 0 || i >= n) continue;
        const double x = s->graph->key(i);
        if (std::isnan(best) || (direction > 0 ? x < best : x > best)) best = x;
    }
    if (std::isnan(best)) return;
    if (best < range.lower || best > range.upper) { // take the view along
        plot()->xAxis->moveRange(direction * range.size() * 0.5);
        userChangedView();
    }
    placeCursor(best);
    QStringList parts;
    for (const auto& v : cursorValues(cursorX_)) parts << QStringLiteral("%1 %2").arg(v.name, v.text());
    setAccessibleDescription(axisText(axis_, cursorX_) + QStringLiteral(": ") + parts.join(QStringLiteral(", ")));
    if (QAccessible::isActive()) {
        QAccessibleEvent change(this, QAccessible::DescriptionChanged);
        QAccessible::updateAccessibility(&change);
    }
}

bool TimePlot::event(QEvent* event)
{
    return claimEscape(event, cursorShown_) || ChartFrame::event(event); // it drops the cursor
}

void TimePlot::keyPressEvent(QKeyEvent* event)
{
    const auto range = plot()->xAxis->range();
    const double centre = cursorShown_ ? cursorX_ : range.center();
    switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Right:
        moveCursor(
            event->key() == Qt::Key_Right ? 1 : -1, event->modifiers() & (Qt::ShiftModifier | Qt::ControlModifier));
        break;
    case Qt::Key_Plus:
    case Qt::Key_Equal:
        zoomX(0.7, centre);
        break;
    case Qt::Key_Minus:
        zoomX(1 / 0.7, centre);
        break;
    case Qt::Key_PageUp:
        pan(plot()->axisRect()->width() * 0.5, 0);
        break;
    case Qt::Key_PageDown:
        pan(-plot()->axisRect()->width() * 0.5, 0);
        break;
    case Qt::Key_Home:
        fitAndFollow();
        Q_EMIT followRequested();
        break;
    case Qt::Key_Escape:
        if (!cursorShown_) return ChartFrame::keyPressEvent(event);
        clearCursor();
        Q_EMIT cursorLeft();
        break;
    default:
        return ChartFrame::keyPressEvent(event);
    }
    event->accept();
}

void TimePlot::focusOutEvent(QFocusEvent* event)
{
    ChartFrame::focusOutEvent(event);
    if (event->reason() == Qt::PopupFocusReason || underMouse()) return;
    clearCursor();
    Q_EMIT cursorLeft();
}

void TimePlot::click(const QPoint& place)
{
    // The curve that is nearest in height, within reach of a finger's tremble.
    const double x = plot()->xAxis->pixelToCoord(place.x());
    double nearest = 14;
    int owner = -1;
    for (const auto& v : cursorValues(x)) {
        const double distance = std::abs(plot()->yAxis->coordToPixel(v.value) - place.y());
        if (distance < nearest) {
            nearest = distance;
            owner = v.owner;
        }
    }
    if (owner >= 0) Q_EMIT curveClicked(owner);
}

void TimePlot::fillMenu(QMenu& menu)
{
    if (menuSource_) menuSource_(menu, cursorShown_ ? cursorX_ : plot()->xAxis->range().upper);
    menu.addAction(tr("&Fit and follow"), this, [this] {
        fitAndFollow();
        Q_EMIT followRequested();
    });
    auto* log = menu.addAction(tr("&Logarithmic axis"));
    log->setCheckable(true);
    log->setChecked(logarithmic_);
    connect(log, &QAction::toggled, this, [this](bool on) {
        setLogarithmic(on);
        Q_EMIT logarithmicToggled(on);
    });
    auto* outliers = menu.addAction(tr("&Ignore outliers"));
    outliers->setToolTip(tr("Choose the range from the middle 98 % of the values"));
    outliers->setCheckable(true);
    outliers->setChecked(ignoreOutliers_);
    connect(outliers, &QAction::toggled, this, &TimePlot::setIgnoreOutliers);
    menu.addSeparator();
    ChartFrame::fillMenu(menu);
}

} // namespace pha::ui
