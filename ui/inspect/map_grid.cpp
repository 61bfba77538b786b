// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/map_grid.h"

#include "ui/format.h"
#include "ui/inspect/map_ramp.h"
#include "ui/look/theme.h"

#include <QElapsedTimer>
#include <QEvent>
#include <QPainter>
#include <QScrollBar>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace pha::ui {

namespace {
constexpr int gap = 5, groupGap = 14; // between pictures, between parts
constexpr int leastSide = 36, comfortableSide = 46, largestSide = 92;
constexpr int slice = 5; // milliseconds of work before the window gets its turn
} // namespace

MapGrid::MapGrid(QWidget* parent)
    : QAbstractScrollArea(parent)
{
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    viewport()->setMouseTracking(true);
    viewport()->setAutoFillBackground(false);
    setAccessibleName(tr("Maps of all layers and heads"));
    setToolTip(tr("Each picture shows what one head of one layer reads: a row for the token at which is read, a column "
                  "for each token before it. Point at one to see it large, click or use the arrow keys to keep it."));
    maker_.setSingleShot(true);
    maker_.setInterval(0);
    connect(&maker_, &QTimer::timeout, this, &MapGrid::makePictures);
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        pictures_.clear();
        layOut();
    });
}

void MapGrid::setLook(const LookPtr& look)
{
    const bool had = selected_ >= 0;
    const auto before = had ? plan_.cells[std::size_t(selected_)] : MapCell {};
    hovered_ = -1; // without a word: what was pointed at is gone
    look_ = look;
    plan_ = look ? planMaps(*look) : MapPlan {};
    const int same = had ? plan_.at(before.row, before.column) : -1;
    selected_ = -1;
    pictures_.clear();
    layOut();
    select(same >= 0 || plan_.cells.empty() ? same : 0);
}

void MapGrid::select(int cell)
{
    cell = cell >= 0 && cell < int(plan_.cells.size()) ? cell : -1;
    selected_ = cell;
    if (cell >= 0) {
        const auto rect = cellRect(cell).adjusted(-gap, -gap, gap, gap);
        auto* down = verticalScrollBar();
        auto* across = horizontalScrollBar();
        const auto bring = [](QScrollBar* bar, int from, int to, int first, int last) {
            if (from < first)
                bar->setValue(bar->value() + from - first);
            else if (to > last)
                bar->setValue(bar->value() + to - last);
        };
        bring(down, rect.top(), rect.bottom(), headHeight(), viewport()->height());
        bring(across, rect.left(), rect.right(), headWidth(), viewport()->width());
        setAccessibleDescription(describe(cell));
    }
    viewport()->update();
    Q_EMIT selectedChanged(cell);
}

int MapGrid::headHeight() const { return 2 * fontMetrics().height() + 6; }
int MapGrid::headWidth() const { return fontMetrics().horizontalAdvance(QStringLiteral("L00")) + 10; }
QPoint MapGrid::origin() const { return { -horizontalScrollBar()->value(), -verticalScrollBar()->value() }; }

int MapGrid::columnLeft(int column) const
{
    int group = 0;
    while (group + 1 < int(plan_.groups.size()) && plan_.groups[std::size_t(group) + 1].first <= column) ++group;
    return headWidth() + column * (side_ + gap) + group * (groupGap - gap);
}

QRect MapGrid::cellRect(int cell) const
{
    const auto& at = plan_.cells[std::size_t(cell)];
    return QRect(columnLeft(at.column), headHeight() + at.row * (side_ + gap), side_, side_).translated(origin());
}

int MapGrid::cellAt(const QPoint& point) const
{
    if (point.y() < headHeight() || point.x() < headWidth()) return -1; // the headings lie over what scrolls
    for (int i = 0; i < int(plan_.cells.size()); ++i)
        if (cellRect(i).contains(point)) return i;
    return -1;
}

/// As large as lets all of them be seen, within limits; what does not fit then scrolls.
void MapGrid::layOut()
{
    const int columns = std::max(1, plan_.columns), rows = std::max(1, int(plan_.layers.size()));
    const int groups = std::max(1, int(plan_.groups.size())), between = (groups - 1) * (groupGap - gap);
    const auto room = maximumViewportSize();
    const int across = (room.width() - headWidth() - between) / columns - gap;
    const int down = (room.height() - headHeight()) / rows - gap;
    const int before = std::exchange(side_, std::clamp(std::min(across, down), leastSide, largestSide));
    const int width = headWidth() + columns * (side_ + gap) + between, height = headHeight() + rows * (side_ + gap);
    horizontalScrollBar()->setRange(0, std::max(0, width - viewport()->width()));
    verticalScrollBar()->setRange(0, std::max(0, height - viewport()->height()));
    horizontalScrollBar()->setPageStep(viewport()->width());
    verticalScrollBar()->setPageStep(viewport()->height());
    for (auto* bar : { horizontalScrollBar(), verticalScrollBar() }) bar->setSingleStep(side_ + gap);
    if (side_ != before || pictures_.size() != plan_.cells.size()) pictures_.assign(plan_.cells.size(), {});
    viewport()->update();
}

bool MapGrid::complete() const
{
    for (int i = 0; i < int(plan_.cells.size()); ++i)
        if (pictures_[std::size_t(i)].isNull() && viewport()->rect().intersects(cellRect(i))) return false;
    return true;
}

void MapGrid::makePictures()
{
    QElapsedTimer clock;
    clock.start();
    std::map<std::string, MapRamp> ramps;
    for (int i = 0; i < int(plan_.cells.size()); ++i) {
        if (!pictures_[std::size_t(i)].isNull() || !viewport()->rect().intersects(cellRect(i))) continue;
        const auto& part = look_->maps[std::size_t(plan_.cells[std::size_t(i)].map)].part;
        const auto ramp = ramps.try_emplace(part, Theme::instance().colours().branch(fromUtf8(part))).first;
        pictures_[std::size_t(i)] = picture(i, ramp->second);
        viewport()->update(cellRect(i));
        if (clock.elapsed() < slice) continue;
        maker_.start();
        return;
    }
}

QImage MapGrid::picture(int cell, const MapRamp& ramp) const
{
    const auto& at = plan_.cells[std::size_t(cell)];
    const auto whole = ramp.image(look_->maps[std::size_t(at.map)], at.head);
    const double scale = devicePixelRatioF();
    const int pixels = int(std::lround(side_ * scale));
    auto small = whole.scaled(pixels, pixels, Qt::IgnoreAspectRatio,
        whole.width() > pixels ? Qt::SmoothTransformation : Qt::FastTransformation);
    small.setDevicePixelRatio(scale);
    return small;
}

void MapGrid::paintEvent(QPaintEvent*)
{
    const auto& c = Theme::instance().colours();
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), c.surface);
    painter.setRenderHint(QPainter::Antialiasing);
    bool missing = false;
    for (int i = 0; i < int(plan_.cells.size()); ++i) {
        const auto rect = cellRect(i);
        if (!rect.intersects(viewport()->rect())) continue;
        const auto& image = pictures_[std::size_t(i)];
        missing |= image.isNull();
        if (!image.isNull()) painter.drawImage(rect.topLeft(), image);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(i == hovered_ ? c.text : c.border, 1));
        painter.drawRect(QRectF(rect).adjusted(-0.5, -0.5, 0.5, 0.5));
        if (i != selected_) continue;
        painter.setPen(QPen(c.accent, hasFocus() ? 3 : 2));
        painter.drawRoundedRect(QRectF(rect).adjusted(-2, -2, 2, 2), 2, 2);
    }
    paintHeads(painter);
    if (missing) maker_.start();
}

void MapGrid::paintHeads(QPainter& painter) const
{
    const auto& c = Theme::instance().colours();
    const auto line = fontMetrics().height();
    painter.fillRect(0, 0, viewport()->width(), headHeight() - 3, c.surface);
    painter.fillRect(0, 0, headWidth() - 3, viewport()->height(), c.surface);
    const auto here = selected_ >= 0 ? plan_.cells[std::size_t(selected_)] : MapCell { -1, -1, -1, -1 };
    const auto across = [&](int column) { return columnLeft(column) + origin().x(); };
    const auto bold = [&](bool on) {
        auto f = font();
        f.setBold(on);
        painter.setFont(f);
    };
    painter.setClipRect(headWidth() - 3, 0, viewport()->width(), headHeight());
    for (const auto& group : plan_.groups) {
        const int left = across(group.first), width = across(group.first + group.columns - 1) + side_ - left;
        painter.setPen(Qt::NoPen);
        painter.setBrush(c.branch(group.part));
        painter.drawRoundedRect(QRectF(left, line + 1, width, 2), 1, 1);
        painter.setPen(c.text);
        bold(here.column >= group.first && here.column < group.first + group.columns);
        const auto align = group.columns > 1 ? Qt::AlignLeft : Qt::AlignHCenter;
        const int room = group.columns > 1 ? width : width + 2 * gap;
        painter.drawText(QRect(left - (room - width) / 2, 0, room, line), int(align | Qt::AlignTop),
            painter.fontMetrics().elidedText(partTitle(group.part), Qt::ElideRight, room));
        for (int head = 0; group.columns > 1 && head < group.columns; ++head) {
            const bool chosen = here.column == group.first + head;
            bold(chosen);
            painter.setPen(chosen ? c.text : c.muted);
            painter.drawText(
                QRect(across(group.first + head), line + 3, side_, line), Qt::AlignCenter, QString::number(head));
        }
    }
    painter.setClipRect(0, headHeight() - 3, headWidth(), viewport()->height());
    for (std::size_t row = 0; row < plan_.layers.size(); ++row) {
        const bool chosen = here.row == int(row);
        bold(chosen);
        painter.setPen(chosen ? c.text : c.muted);
        painter.drawText(QRect(0, headHeight() + int(row) * (side_ + gap) + origin().y(), headWidth() - 8, side_),
            Qt::AlignRight | Qt::AlignVCenter, QStringLiteral("L%1").arg(plan_.layers[row]));
    }
    painter.setClipping(false);
}

QString MapGrid::describe(int cell) const
{
    const auto& at = plan_.cells[std::size_t(cell)];
    const auto tokens = look_->maps[std::size_t(at.map)].tokens;
    auto text = counted(tokens, tr("%1: what is read at %2 token"), tr("%1: what is read at each of %2 tokens"))
                    .arg(cellName(*look_, at), formatCount(tokens));
    const auto* head = figuresOf(*look_, at);
    if (!head) return text;
    if (head->name >= 0) text += tr("\nOn this text it is: %1").arg(headKindTitle(head->name));
    if (const auto figures = headText(*head); !figures.isEmpty())
        text += tr("\nIt reads: %1; in brackets, if it read all alike").arg(figures);
    return text;
}

int MapGrid::comfortableHeight() const { return headHeight() + int(plan_.layers.size()) * (comfortableSide + gap); }

QSize MapGrid::sizeHint() const { return { headWidth() + 5 * (largestSide - 20), headHeight() + 4 * 52 }; }
QSize MapGrid::minimumSizeHint() const { return { headWidth() + 3 * leastSide, headHeight() + 2 * (leastSide + gap) }; }

void MapGrid::resizeEvent(QResizeEvent* event)
{
    QAbstractScrollArea::resizeEvent(event);
    layOut();
}

void MapGrid::changeEvent(QEvent* event)
{
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::FontChange) layOut();
}

} // namespace pha::ui
