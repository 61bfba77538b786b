// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/weight_ridges.h"

#include "ui/charts/qcustomplot_include.h"
#include "ui/format.h"
#include "ui/inspect/ridge_items.h"
#include "ui/inspect/weight_list.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

constexpr double roomOfRidge = 11; ///< pixels from one baseline to the next, at least
/// How many of those the highest of so many ridges takes.
double overlap(double ridges) { return std::clamp(1 + (ridges - 1) / 4, 1.0, 2.4); }
constexpr int ridgeGap = 16;

} // namespace

WeightRidges::WeightRidges(QWidget* parent)
    : ChartFrame(QStringLiteral("weightRidges"), tr("Distributions"), parent)
{
    plot()->installEventFilter(this);
    plot()->axisRect()->setAutoMargins(QCP::msNone);
    plot()->axisRect()->setMargins(QMargins());
    plot()->addLayer(QStringLiteral("cursor"));
    plot()->layer(QStringLiteral("cursor"))->setMode(QCPLayer::lmBuffered);
    item_ = new RidgeItem(plot(), this);
    mark_ = new RidgeCursor(plot(), this);
    mark_->setLayer(QStringLiteral("cursor"));
    setToolTip(tr("How the numbers of the selected tensors are distributed at each checkpoint, the newest in front. "
                  "Arrow keys move over values and checkpoints, Page up and down over tensors. Right click: data table "
                  "and export."));
    applyTheme();
}

void WeightRidges::applyTheme()
{
    ChartFrame::applyTheme();
    for (auto* axis : { plot()->xAxis, plot()->yAxis }) { // the item draws scales of its own
        axis->setTicks(false);
        axis->setTickLabels(false);
        axis->setBasePen(Qt::NoPen);
        axis->grid()->setVisible(false);
    }
}

void WeightRidges::setTensors(const std::vector<WeightMoment>& moments, const std::vector<std::string>& tensors)
{
    panels_.clear();
    range_ = limit_ = 0;
    const auto count = std::min<std::size_t>(tensors.size(), mostPanels);
    for (std::size_t i = 0; i < count; ++i)
        for (const auto& moment : moments)
            if (const auto* tensor = moment.find(tensors[i])) {
                range_ = std::max(range_, tensor->histogram.range);
                limit_ = std::max(limit_, tensor->largest());
            }
    if (!(range_ > 0)) range_ = limit_ = 1; // zeros alone
    for (std::size_t i = 0; i < count; ++i) {
        Panel panel { tensorTitle(tensors[i]), {}, {}, {}, fromUtf8(tensorPlace(tensors[i]).part), {}, 0 };
        for (const auto& moment : moments) {
            const auto* tensor = moment.find(tensors[i]);
            if (!tensor) continue;
            panel.ridges.push_back(
                { moment.step, tensor->count - tensor->notFinite, tensor->histogram.over(range_).columns(columns) });
            for (const auto n : panel.ridges.back().counts) panel.most = std::max(panel.most, double(n));
            panel.rms = tr("rms %1").arg(formatNumber(tensor->rms, 3));
            panel.moved = tensor->change ? tr("moved %1").arg(movedText(*tensor->change)) : QString();
            panel.rank = rankText(*tensor);
        }
        panels_.push_back(std::move(panel));
    }
    const bool stays = cursor_.panel >= 0 && cursor_.panel < int(panels_.size())
        && cursor_.ridge < int(panels_[std::size_t(cursor_.panel)].ridges.size());
    if (!stays) cursor_ = {};
    describe();
    requestRedraw();
}

void WeightRidges::setLogarithmic(bool on)
{
    logarithmic_ = on;
    requestRedraw();
}

double WeightRidges::height(const Panel& panel, std::int64_t count) const
{
    if (count <= 0 || panel.most <= 0) return 0;
    return logarithmic_ ? std::log1p(double(count)) / std::log1p(panel.most) : double(count) / panel.most;
}

QRectF WeightRidges::panelRect(int panel) const
{
    const QFontMetrics metrics(plot()->xAxis->tickLabelFont());
    std::int64_t last = 0;
    for (const auto& one : panels_)
        if (!one.ridges.empty()) last = std::max(last, one.ridges.back().step);
    const double left = metrics.horizontalAdvance(formatCount(last)) + 12;
    const double top = 4 * metrics.lineSpacing() + 8, bottom = metrics.lineSpacing() + 8;
    const auto count = double(std::max<std::size_t>(1, panels_.size()));
    const double width = (plot()->width() - left - 10 - ridgeGap * (count - 1)) / count;
    return { left + panel * (width + ridgeGap), top, width, plot()->height() - top - bottom };
}

std::vector<int> WeightRidges::shownRidges(int panel) const
{
    const auto count = int(panels_[std::size_t(panel)].ridges.size());
    const int room = std::max(2, int(panelRect(panel).height() / roomOfRidge - overlap(count)) + 1);
    std::vector<int> shown;
    if (count <= room) {
        for (int i = 0; i < count; ++i) shown.push_back(i);
    } else {
        for (int i = 0; i < room; ++i)
            shown.push_back(int(std::lround(double(i) * double(count - 1) / double(room - 1))));
    }
    return shown;
}

double WeightRidges::spacing(int panel) const
{
    const auto count = double(shownRidges(panel).size());
    return panelRect(panel).height() / (count - 1 + overlap(count));
}

double WeightRidges::baseline(int panel, int ridge) const
{
    const auto shown = shownRidges(panel);
    const auto behind = std::count_if(shown.begin(), shown.end(), [ridge](int other) { return other > ridge; });
    return panelRect(panel).bottom() - double(behind) * spacing(panel);
}

int WeightRidges::firstColumn() const
{
    return std::clamp(int(double(columns) / 2 * (1 - limit_ / range_)), 0, columns / 2 - 1);
}

double WeightRidges::xOf(const QRectF& rect, double value) const
{
    const double end = range_ * (1 - 2.0 * firstColumn() / columns);
    return rect.center().x() + value / end * rect.width() / 2;
}

QPolygonF WeightRidges::outline(int panel, int ridge) const
{
    const auto& shown = panels_[std::size_t(panel)];
    const auto& counts = shown.ridges[std::size_t(ridge)].counts;
    const auto rect = panelRect(panel);
    const double base = baseline(panel, ridge);
    const double full = spacing(panel) * overlap(double(shownRidges(panel).size()));
    const double width = 2 * range_ / columns;
    QPolygonF line;
    line << QPointF(rect.left(), base);
    for (int c = firstColumn(); c < columns - firstColumn(); ++c)
        line << QPointF(xOf(rect, -range_ + (c + 0.5) * width), base - full * height(shown, counts[std::size_t(c)]));
    line << QPointF(rect.right(), base);
    return line;
}

void WeightRidges::redraw()
{
    mark_->setVisible(cursor_.panel >= 0);
    ChartFrame::redraw();
}

QString WeightRidges::reading() const
{
    if (cursor_.panel < 0) return {};
    const auto& panel = panels_[std::size_t(cursor_.panel)];
    const auto& ridge = panel.ridges[std::size_t(cursor_.ridge)];
    const double width = 2 * range_ / columns, from = -range_ + cursor_.column * width;
    const auto n = ridge.counts[std::size_t(cursor_.column)];
    return tr("%1, step %2: %3 of %4 numbers (%5 %) from %6 to %7")
        .arg(panel.title, formatCount(ridge.step), formatCount(n), formatCount(ridge.total),
            formatNumber(ridge.total > 0 ? 100 * double(n) / double(ridge.total) : 0, 2), formatNumber(from, 3),
            formatNumber(from + width, 3));
}

void WeightRidges::describe()
{
    const auto text = reading();
    QStringList words;
    for (const auto& panel : panels_) {
        QStringList all { panel.title, panel.rms, panel.moved, panel.rank };
        all.removeAll(QString());
        words << all.join(QStringLiteral(", "));
    }
    setAccessibleDescription(text.isEmpty() ? words.join(QStringLiteral("; ")) : text);
    Q_EMIT readingChanged(text);
}

void WeightRidges::setCursor(const Cursor& cursor)
{
    if (cursor == cursor_) return;
    cursor_ = cursor;
    mark_->setVisible(cursor_.panel >= 0);
    plot()->layer(QStringLiteral("cursor"))->replot();
    describe();
}

void WeightRidges::point(const QPointF& at)
{
    for (int p = 0; p < int(panels_.size()); ++p) {
        const auto rect = panelRect(p);
        const auto shown = shownRidges(p);
        if (shown.empty() || !rect.adjusted(0, 0, 0, ridgeGap).contains(at)) continue;
        const double end = range_ * (1 - 2.0 * firstColumn() / columns);
        const double value = (at.x() - rect.center().x()) / (rect.width() / 2) * end;
        const int column = std::clamp(int((value + range_) / (2 * range_) * columns), 0, columns - 1);
        const auto behind = std::clamp<std::ptrdiff_t>(
            std::lround((rect.bottom() - at.y()) / spacing(p)), 0, std::ptrdiff_t(shown.size()) - 1);
        return setCursor({ p, shown[shown.size() - 1 - std::size_t(behind)], column });
    }
    setCursor({});
}

bool WeightRidges::eventFilter(QObject* watched, QEvent* event)
{
    if (watched != plot()) return ChartFrame::eventFilter(watched, event);
    if (event->type() == QEvent::MouseMove) point(static_cast<QMouseEvent*>(event)->position());
    if (event->type() == QEvent::Leave && !hasFocus()) setCursor({});
    if (event->type() == QEvent::MouseButtonPress) setFocus(Qt::MouseFocusReason);
    return false;
}

void WeightRidges::keyPressEvent(QKeyEvent* event)
{
    if (panels_.empty() || panels_.front().ridges.empty()) return ChartFrame::keyPressEvent(event);
    auto to = cursor_;
    if (to.panel < 0) to = { 0, int(panels_.front().ridges.size()) - 1, columns / 2 };
    const auto last = [&] { return int(panels_[std::size_t(to.panel)].ridges.size()) - 1; };
    switch (event->key()) {
    case Qt::Key_Left:
        --to.column;
        break;
    case Qt::Key_Right:
        ++to.column;
        break;
    case Qt::Key_Up:
        --to.ridge;
        break; // older ones are further up
    case Qt::Key_Down:
        ++to.ridge;
        break;
    case Qt::Key_Home:
        to.ridge = 0;
        break;
    case Qt::Key_End:
        to.ridge = last();
        break;
    case Qt::Key_PageUp:
        --to.panel;
        break;
    case Qt::Key_PageDown:
        ++to.panel;
        break;
    default:
        return ChartFrame::keyPressEvent(event);
    }
    to.panel = std::clamp(to.panel, 0, int(panels_.size()) - 1);
    to.ridge = std::clamp(to.ridge, 0, std::max(0, last()));
    to.column = std::clamp(to.column, firstColumn(), columns - 1 - firstColumn());
    if (!panels_[std::size_t(to.panel)].ridges.empty()) setCursor(to);
}

void WeightRidges::focusOutEvent(QFocusEvent* event)
{
    ChartFrame::focusOutEvent(event);
    setCursor({});
}

QVector<ChartSheet> WeightRidges::sheets() const
{
    QVector<ChartSheet> out;
    const double width = 2 * range_ / columns, range = range_;
    for (const auto& panel : panels_)
        out.append({ panel.title, { tr("step"), tr("from"), tr("to"), tr("count") },
            [n = int(panel.ridges.size())] { return n * columns; },
            [ridges = panel.ridges, width, range](int row, int column) -> QVariant {
                const auto& ridge = ridges[std::size_t(row / columns)];
                const int bin = row % columns;
                if (column == 0) return double(ridge.step);
                if (column == 3) return double(ridge.counts[std::size_t(bin)]);
                return -range + (bin + column - 1) * width;
            } });
    return out;
}

} // namespace pha::ui
