// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/film/film_slider.h"

#include "ui/look/theme.h"

#include <QPainter>
#include <QStyle>
#include <QStyleOptionSlider>

namespace pha::ui {

namespace {
constexpr int markHeight = 4, leastApart = 4;
}

FilmSlider::FilmSlider(QWidget* parent)
    : QSlider(Qt::Horizontal, parent)
{
    setPageStep(5);
    setMinimumWidth(120);
}

QSize FilmSlider::sizeHint() const { return QSlider::sizeHint() + QSize(0, 2 * (markHeight + 2)); }

void FilmSlider::paintEvent(QPaintEvent* event)
{
    QSlider::paintEvent(event);
    QStyleOptionSlider option;
    initStyleOption(&option);
    const int handle = style()->subControlRect(QStyle::CC_Slider, &option, QStyle::SC_SliderHandle, this).width();
    const int room = width() - handle, last = maximum() - minimum();
    if (last < 1 || room / last < leastApart) return;
    QPainter painter(this);
    painter.setPen(Theme::instance().colours().reference);
    for (int value = minimum(); value <= maximum(); ++value) {
        const int x = QStyle::sliderPositionFromValue(minimum(), maximum(), value, room) + handle / 2;
        painter.drawLine(x, height() - markHeight, x, height() - 1);
    }
}

} // namespace pha::ui
