// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/run_delegate.h"

#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/runs/run_list_model.h"

#include <QAbstractItemView>
#include <QLineEdit>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <cmath>
#include <utility>

namespace pha::ui {

namespace {

constexpr int margin = 7, tickSide = 14, glyphSide = 12;

QFont small(const QFont& font)
{
    auto f = font;
    f.setPointSizeF(font.pointSizeF() * 0.88);
    f.setWeight(QFont::Normal);
    return f;
}

QFont nameFont(const QFont& font)
{
    auto f = font;
    f.setWeight(QFont::DemiBold);
    return f;
}

const auto separator = QStringLiteral(" \u00b7 ");

void paintTick(QPainter* p, const QRectF& box, bool ticked, const QColor& colour, const Colours& c)
{
    p->setPen(QPen(ticked ? colour : c.muted, 1.2));
    p->setBrush(ticked ? QBrush(colour) : QBrush(Qt::NoBrush));
    p->drawRoundedRect(box.adjusted(0.6, 0.6, -0.6, -0.6), 3.5, 3.5);
    if (!ticked) return;
    p->setPen(QPen(c.dark ? QColor(0x0B1220) : QColor(Qt::white), 1.8, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    QPainterPath check(box.topLeft() + QPointF(3.6, 7.3));
    check.lineTo(box.topLeft() + QPointF(6, 9.8));
    check.lineTo(box.topLeft() + QPointF(10.6, 4.4));
    p->drawPath(check);
}

/// Tags from the right edge of `box` to the left, in at most `room` of it; those without room are counted. Returns what
/// is left: a row is as high with tags as without.
QRect paintTags(QPainter* p, const QRect& box, int room, const std::vector<std::string>& tags, const Colours& c)
{
    const auto metrics = p->fontMetrics();
    constexpr int inside = 5, gap = 4;
    const int longest = metrics.averageCharWidth() * 14;
    const auto widthOf = [&](const QString& text) { return metrics.horizontalAdvance(text) + 2 * inside; };
    const int counter = widthOf(QStringLiteral("+9")) + gap;
    QStringList chips;
    for (const auto& tag : tags) {
        const int left = room - (chips.size() + 1 == qsizetype(tags.size()) ? 0 : counter);
        // The first one is cut rather than left out, as long as something of it can be read.
        const int most = chips.isEmpty() ? std::min(longest, left - 2 * inside) : longest;
        const auto text = metrics.elidedText(singleLine(fromUtf8(tag)), Qt::ElideRight, most);
        if (text.size() < std::min<qsizetype>(3, fromUtf8(tag).size()) || widthOf(text) > left) break;
        room -= widthOf(text) + gap;
        chips << text;
    }
    if (chips.size() < qsizetype(tags.size()))
        chips << QStringLiteral("+%1").arg(qsizetype(tags.size()) - chips.size());
    if (chips.isEmpty()) return box;
    int right = box.right() + 1;
    auto fill = c.text;
    fill.setAlphaF(c.dark ? 0.13f : 0.08f);
    std::reverse(chips.begin(), chips.end());
    for (const auto& chip : std::as_const(chips)) {
        const int height = metrics.height() + 1;
        const QRectF place(right - widthOf(chip), box.center().y() - height / 2.0 + 0.5, widthOf(chip), height);
        p->setPen(Qt::NoPen);
        p->setBrush(fill);
        p->drawRoundedRect(place, height / 2.0, height / 2.0);
        p->setPen(c.muted);
        p->drawText(place, int(Qt::AlignCenter), chip);
        right -= widthOf(chip) + gap;
    }
    return box.adjusted(0, 0, right - box.right() - gap, 0);
}

} // namespace

QColor stateColour(RunState state, bool interrupted)
{
    const auto& c = Theme::instance().colours();
    switch (state) {
    case RunState::Preparing:
    case RunState::Running:
        return c.accent;
    case RunState::Paused:
        return c.warning;
    case RunState::Finished:
        return c.good;
    case RunState::Stopped:
        return interrupted ? c.warning : c.muted;
    case RunState::Diverged:
    case RunState::Failed:
        return c.error;
    }
    return c.muted;
}

void paintStateGlyph(QPainter* p, const QRectF& box, RunState state, bool interrupted)
{
    const auto colour = stateColour(state, interrupted);
    p->save();
    p->translate(box.topLeft());
    p->scale(box.width() / 12, box.height() / 12);
    p->setPen(Qt::NoPen);
    p->setBrush(colour);
    const QPen line(colour, 1.8, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin);
    switch (state) {
    case RunState::Preparing:
        for (int i = 0; i < 3; ++i) p->drawEllipse(QPointF(2 + 4 * i, 6), 1.4, 1.4);
        break;
    case RunState::Running:
        p->drawPolygon(QPolygonF { QPointF(2.5, 1), QPointF(2.5, 11), QPointF(11, 6) });
        break;
    case RunState::Paused:
        p->drawRect(QRectF(2.2, 1.5, 2.6, 9));
        p->drawRect(QRectF(7.2, 1.5, 2.6, 9));
        break;
    case RunState::Finished:
        p->setPen(line);
        p->setBrush(Qt::NoBrush);
        p->drawPolyline(QPolygonF { QPointF(1.5, 6.5), QPointF(4.6, 9.6), QPointF(10.5, 2.6) });
        break;
    case RunState::Stopped:
        if (interrupted) {
            p->setPen(line);
            p->setBrush(Qt::NoBrush);
            p->drawPolyline(QPolygonF { QPointF(7, 1), QPointF(3.6, 6.4), QPointF(8.2, 6.4), QPointF(4.8, 11) });
        } else {
            p->drawRoundedRect(QRectF(2, 2, 8, 8), 1.2, 1.2);
        }
        break;
    case RunState::Diverged:
    case RunState::Failed:
        p->drawEllipse(QRectF(0.4, 0.4, 11.2, 11.2));
        p->setPen(QPen(Theme::instance().colours().surface, 1.7, Qt::SolidLine, Qt::RoundCap));
        p->drawLine(QPointF(6, 3), QPointF(6, 6.6));
        p->drawPoint(QPointF(6, 9));
        break;
    }
    p->restore();
}

void paintWaitingGlyph(QPainter* p, const QRectF& box)
{
    p->save();
    p->translate(box.topLeft());
    p->scale(box.width() / 12, box.height() / 12);
    p->setPen(QPen(Theme::instance().colours().muted, 1.5, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    p->setBrush(Qt::NoBrush);
    p->drawEllipse(QRectF(1, 1, 10, 10));
    p->drawPolyline(QPolygonF { QPointF(6, 3.4), QPointF(6, 6.2), QPointF(8, 7.4) });
    p->restore();
}

struct RunDelegate::Places {
    QRect row, tick, glyph, name, figures, bar;
};

RunDelegate::Places RunDelegate::places(const QStyleOptionViewItem& option)
{
    Places p;
    p.row = option.rect.adjusted(3, 1, -3, -1);
    const int top = p.row.top() + 6, line = option.fontMetrics.height();
    p.tick = QRect(p.row.left() + margin, top + (line - tickSide) / 2, tickSide, tickSide);
    p.glyph = QRect(p.tick.right() + margin, top + (line - glyphSide) / 2, glyphSide, glyphSide);
    const int left = p.glyph.right() + margin;
    p.name = QRect(left, top, p.row.right() - margin - left, line);
    p.figures = QRect(p.glyph.left(), p.name.bottom() + 3, p.name.right() - p.glyph.left() + 1, line);
    p.bar = QRect(p.figures.left(), p.row.bottom() - 4, p.figures.width(), 3);
    return p;
}

QSize RunDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const
{
    return QSize(160, 2 * option.fontMetrics.height() + 23);
}

RunDelegate::Words RunDelegate::words(const RunSummary& s, const QStyleOptionViewItem& option)
{
    const int room = places(option).name.width();
    const QFontMetrics metrics(nameFont(option.font)), smaller(small(option.font));
    Words w;
    // Where the sign and the figures say it all, words would only push the figures out of sight.
    QStringList parts { s.state == RunState::Preparing ? QString() : s.text() };
    if (s.state != RunState::Running && s.state != RunState::Finished) parts.prepend(s.stateText);
    if (s.secondsLeft >= 0) {
        // A run is known by its name: the time goes without its seconds where they would cut it, or to the figures.
        const double coarse = s.secondsLeft < 60 ? s.secondsLeft : std::round(s.secondsLeft / 60) * 60;
        const int beside = room - metrics.horizontalAdvance(s.name) - margin;
        for (const double seconds : { s.secondsLeft, coarse }) {
            w.time = tr("%1 left").arg(formatDuration(seconds));
            if (smaller.horizontalAdvance(w.time) <= beside) break;
        }
        if (smaller.horizontalAdvance(w.time) > beside) parts.prepend(std::exchange(w.time, {}));
    }
    w.name = metrics.elidedText(s.name, Qt::ElideMiddle, room);
    parts.removeAll(QString());
    w.figures = parts.join(separator);
    return w;
}

void RunDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    const auto& c = Theme::instance().colours();
    const auto s = index.data(RunListModel::SummaryRole).value<RunSummary>();
    const int colour = index.data(RunListModel::ColourRole).toInt();
    const auto at = places(option);
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);

    const bool selected = option.state & QStyle::State_Selected, hovered = option.state & QStyle::State_MouseOver;
    if (selected || hovered) {
        auto fill = selected ? c.accent : c.text;
        fill.setAlphaF(selected ? (c.dark ? 0.22f : 0.12f) : 0.05f);
        painter->setPen(Qt::NoPen);
        painter->setBrush(fill);
        painter->drawRoundedRect(at.row, 6, 6);
    }
    if (option.state & QStyle::State_HasFocus) {
        painter->setPen(QPen(c.accent, 1));
        painter->setBrush(Qt::NoBrush);
        painter->drawRoundedRect(QRectF(at.row).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
    }
    paintTick(painter, at.tick, colour >= 0, c.run(colour), c);
    if (s.placeInQueue > 0)
        paintWaitingGlyph(painter, at.glyph);
    else
        paintStateGlyph(painter, at.glyph, s.state, s.interrupted);

    auto [name, time, figures] = words(s, option);
    painter->setFont(small(option.font));
    painter->setPen(c.muted);
    painter->drawText(at.name, int(Qt::AlignRight | Qt::AlignVCenter), time);
    painter->setFont(nameFont(option.font));
    painter->setPen(s.about.archived ? c.muted : c.text);
    painter->drawText(at.name, int(Qt::AlignLeft | Qt::AlignVCenter), name);

    painter->setFont(small(option.font));
    // The first figure comes before the tags, the tags before the others.
    const int first = painter->fontMetrics().horizontalAdvance(figures.section(separator, 0, 0)) + 2 * margin;
    const auto figureBox =
        paintTags(painter, at.figures, at.figures.width() - std::min(first, at.figures.width() / 2), s.about.tags, c);
    // What does not fit goes as a whole: half a figure tells nothing.
    while (painter->fontMetrics().horizontalAdvance(figures) > figureBox.width() && figures.contains(separator))
        figures.truncate(figures.lastIndexOf(separator));
    painter->setPen(s.state == RunState::Failed || s.state == RunState::Diverged ? c.error : c.muted);
    painter->drawText(figureBox, int(Qt::AlignLeft | Qt::AlignVCenter),
        painter->fontMetrics().elidedText(figures, Qt::ElideRight, figureBox.width()));

    if (s.share >= 0) {
        painter->setPen(Qt::NoPen);
        auto track = c.text;
        track.setAlphaF(0.12f);
        painter->setBrush(track);
        painter->drawRoundedRect(at.bar, 1.5, 1.5);
        painter->setBrush(stateColour(s.state, s.interrupted));
        painter->drawRoundedRect(
            QRectF(at.bar.left(), at.bar.top(), at.bar.width() * s.share, at.bar.height()), 1.5, 1.5);
    }
    painter->restore();
}

QWidget* RunDelegate::createEditor(QWidget* parent, const QStyleOptionViewItem& option, const QModelIndex& index) const
{
    auto* editor = QStyledItemDelegate::createEditor(parent, option, index);
    editor->setObjectName(QStringLiteral("runNameEdit"));
    editor->setAccessibleName(tr("Name of the run"));
    if (auto* line = qobject_cast<QLineEdit*>(editor)) line->setMaxLength(200);
    return editor;
}

void RunDelegate::setEditorData(QWidget* editor, const QModelIndex& index) const
{
    // The row of a run that trains changes thirty times a second; what is being typed must not.
    if (editor->property("filled").toBool()) return;
    QStyledItemDelegate::setEditorData(editor, index);
    editor->setProperty("filled", true);
}

void RunDelegate::updateEditorGeometry(QWidget* editor, const QStyleOptionViewItem& option, const QModelIndex&) const
{
    editor->setGeometry(places(option).name.adjusted(-8, -5, 4, 5));
}

bool RunDelegate::editorEvent(
    QEvent* event, QAbstractItemModel* model, const QStyleOptionViewItem& option, const QModelIndex& index)
{
    const auto flip = [&] {
        const bool ticked = index.data(Qt::CheckStateRole).toInt() == Qt::Checked;
        return model->setData(index, ticked ? Qt::Unchecked : Qt::Checked, Qt::CheckStateRole);
    };
    if (event->type() == QEvent::MouseButtonRelease || event->type() == QEvent::MouseButtonPress
        || event->type() == QEvent::MouseButtonDblClick) {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        // A finger's width around the box counts as the box.
        if (mouse->button() != Qt::LeftButton || !places(option).tick.adjusted(-6, -8, 4, 24).contains(mouse->pos()))
            return false;
        return event->type() == QEvent::MouseButtonRelease ? flip() : true;
    }
    if (event->type() == QEvent::KeyPress && static_cast<QKeyEvent*>(event)->key() == Qt::Key_Space) return flip();
    return false;
}

} // namespace pha::ui
