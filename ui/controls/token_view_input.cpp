// SPDX-License-Identifier: GPL-3.0-or-later
// TokenView: pointer and keys.
#include "ui/controls/token_view.h"

#include <QKeyEvent>

#include <algorithm>

namespace pha::ui {

int TokenView::neighbour(int lines) const
{
    const auto here = tokenRect(current_);
    if (here.isEmpty()) return current_ + lines;
    for (int dy = 1; dy <= 3; ++dy) { // over short and empty lines
        const int y = here.center().y() + lines * dy * here.height();
        for (int x = here.center().x(); x > 0; x -= here.height())
            if (const int found = tokenAt({ x, y }); found >= 0) return found;
    }
    return current_;
}

bool TokenView::event(QEvent* event)
{
    if (event->type() == QEvent::ShortcutOverride) {
        const auto* key = static_cast<QKeyEvent*>(event);
        switch (key->key()) {
        case Qt::Key_Left:
        case Qt::Key_Right:
        case Qt::Key_Up:
        case Qt::Key_Down:
        case Qt::Key_Home:
        case Qt::Key_End:
        case Qt::Key_Return:
        case Qt::Key_Enter:
            if (!(key->modifiers() & ~(Qt::KeypadModifier | Qt::ShiftModifier))) {
                event->accept();
                return true;
            }
            break;
        default:
            break;
        }
    }
    return QPlainTextEdit::event(event);
}

void TokenView::keyPressEvent(QKeyEvent* event)
{
    const bool plain = !(event->modifiers() & ~Qt::KeypadModifier);
    if (!plain || tokens_.isEmpty()) {
        QPlainTextEdit::keyPressEvent(event);
        return;
    }
    switch (event->key()) {
    case Qt::Key_Left:
        setCurrent(current_ < 0 ? int(tokens_.size()) - 1 : std::max(0, current_ - 1));
        break;
    case Qt::Key_Right:
        setCurrent(current_ + 1);
        break;
    case Qt::Key_Up:
        setCurrent(std::max(0, neighbour(-1)));
        break;
    case Qt::Key_Down:
        setCurrent(neighbour(1));
        break;
    case Qt::Key_Home:
        setCurrent(0);
        break;
    case Qt::Key_End:
        setCurrent(int(tokens_.size()) - 1);
        break;
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (current_ >= 0) Q_EMIT chosen(current_, true);
        break;
    default:
        QPlainTextEdit::keyPressEvent(event);
    }
}

void TokenView::hover(int index)
{
    if (index == hovered_) return;
    hovered_ = index;
    viewport()->update();
    Q_EMIT hovered(index);
}

void TokenView::mouseMoveEvent(QMouseEvent* event)
{
    QPlainTextEdit::mouseMoveEvent(event);
    hover(event->buttons() == Qt::NoButton ? tokenAt(event->pos()) : -1);
}

void TokenView::mousePressEvent(QMouseEvent* event)
{
    pressed_ = event->pos();
    QPlainTextEdit::mousePressEvent(event);
}

void TokenView::mouseReleaseEvent(QMouseEvent* event)
{
    QPlainTextEdit::mouseReleaseEvent(event);
    const bool click = event->button() == Qt::LeftButton && (event->pos() - pressed_).manhattanLength() < 4;
    if (!click || textCursor().hasSelection()) return;
    const int index = tokenAt(event->pos());
    setCurrent(index);
    if (index >= 0) Q_EMIT chosen(index, false);
}

void TokenView::leaveEvent(QEvent* event)
{
    QPlainTextEdit::leaveEvent(event);
    hover(-1);
}

} // namespace pha::ui
