// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/map_view.h"

#include "ui/controls/token_view.h"
#include "ui/format.h"
#include "ui/inspect/map_ramp.h"
#include "ui/look/theme.h"

#include <QEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {
constexpr int nameLetters = 9;
constexpr int border = 3; // room for the marks at the edges
constexpr int pictureHead = 30;
} // namespace

MapView::MapView(QWidget* parent)
    : QWidget(parent)
{
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setCursor(Qt::CrossCursor);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    setAccessibleName(tr("The selected map"));
    setToolTip(tr("Click a row to read at its token. Up and Down go from token to token, Left and Right along what is "
                  "read there."));
    setToolTipDuration(4000);
    connect(&Theme::instance(), &Theme::changed, this, [this] { rebuild(); });
}

int MapView::tokens() const { return look_ ? int(look_->maps[std::size_t(cell_.map)].tokens) : 0; }
QString MapView::name(int token) const { return visibleToken(look_->tokens[std::size_t(token)].text); }

void MapView::setMap(const LookPtr& look, const MapCell& cell)
{
    look_ = look;
    cell_ = cell;
    if (token_ >= tokens()) token_ = tokens() - 1;
    if (key_ > token_) key_ = -1;
    if (pointedToken_ >= tokens()) pointedToken_ = pointedKey_ = -1;
    rebuild();
}

void MapView::rebuild()
{
    image_ = {};
    if (look_) {
        const auto& map = look_->maps[std::size_t(cell_.map)];
        image_ = MapRamp(Theme::instance().colours().branch(fromUtf8(map.part))).image(map, cell_.head);
    }
    update();
}

void MapView::setToken(int token)
{
    token_ = std::clamp(token, -1, tokens() - 1);
    if (key_ > token_) key_ = -1;
    update();
}

void MapView::setKey(int key)
{
    key_ = std::clamp(key, -1, token_);
    update();
}

int MapView::edge() const { return fontMetrics().averageCharWidth() * nameLetters + 6; }

bool MapView::named() const
{
    const int room = std::min(width(), height()) - edge() - 2 * border;
    return tokens() > 0 && room >= tokens() * fontMetrics().height();
}

QRectF MapView::mapRect() const
{
    const int n = std::max(1, tokens()), names = named() ? edge() : 0;
    const double scale = devicePixelRatioF();
    double side = std::min(width(), height()) - names - 2 * border;
    // Points of several pixels are all equally large; of smaller ones nobody sees that they are not.
    if (const double whole = std::floor(side * scale / n); whole >= 4) side = whole * n / scale;
    side = std::max(side, 1.0);
    const double left = names + border + std::floor((width() - names - 2 * border - side) / 2);
    return { left, double(names + border), side, side };
}

QRectF MapView::pointRect(int token, int key) const
{
    const auto all = mapRect();
    const double point = all.width() / std::max(1, tokens());
    return { all.left() + key * point, all.top() + token * point, point, point };
}

std::pair<int, int> MapView::at(const QPointF& place) const
{
    const auto all = mapRect();
    if (tokens() == 0 || !all.contains(place)) return { -1, -1 };
    const auto index = [&](double along) { return std::clamp(int(along / all.width() * tokens()), 0, tokens() - 1); };
    const int token = index(place.y() - all.top()), key = index(place.x() - all.left());
    return key <= token ? std::pair(token, key) : std::pair(-1, -1);
}

void MapView::paintEvent(QPaintEvent*)
{
    if (image_.isNull()) return;
    QPainter painter(this);
    paintMap(painter);
    if (named()) paintNames(painter);
    paintMarks(painter);
    if (!hasFocus()) return;
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(Theme::instance().colours().accent, 1.5));
    painter.drawRoundedRect(mapRect().adjusted(-2, -2, 2, 2), 2, 2);
}

void MapView::paintMap(QPainter& painter) const
{
    const auto& c = Theme::instance().colours();
    const auto all = mapRect();
    painter.setRenderHint(QPainter::SmoothPixmapTransform, all.width() * devicePixelRatioF() < tokens());
    painter.drawImage(all, image_);
    painter.setPen(QPen(c.border, 1));
    painter.drawRect(all.adjusted(-0.5, -0.5, 0.5, 0.5));
}

void MapView::paintNames(QPainter& painter) const
{
    const auto& c = Theme::instance().colours();
    const auto all = mapRect();
    const auto elided = [&](int token) {
        return painter.fontMetrics().elidedText(name(token), Qt::ElideRight, edge() - 8);
    };
    const int row = pointedToken_ >= 0 ? pointedToken_ : token_, column = pointedToken_ >= 0 ? pointedKey_ : key_;
    for (int t = 0; t < tokens(); ++t) {
        const auto box = pointRect(t, 0);
        painter.setPen(t == row ? c.text : c.muted);
        painter.drawText(QRectF(all.left() - edge(), box.top(), edge() - 8, box.height()),
            Qt::AlignRight | Qt::AlignVCenter, elided(t));
        painter.save();
        painter.translate(pointRect(0, t).center().x(), all.top() - 5);
        painter.rotate(-90);
        painter.setPen(t == column ? c.text : c.muted);
        painter.drawText(
            QRectF(0, -box.height() / 2, edge() - 8, box.height()), Qt::AlignLeft | Qt::AlignVCenter, elided(t));
        painter.restore();
    }
}

void MapView::paintMarks(QPainter& painter) const
{
    const auto& c = Theme::instance().colours();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setBrush(Qt::NoBrush);
    const auto around = [&](QRectF rect, const QColor& colour, double width) {
        const double more = std::max(0.0, 4 - rect.height()) / 2; // thin rows stay visible between their lines
        rect.adjust(-more - 0.5, -more - 0.5, more + 0.5, more + 0.5);
        painter.setPen(QPen(colour, width));
        painter.drawRect(rect);
    };
    if (token_ >= 0) around(pointRect(token_, 0).united(pointRect(token_, token_)), c.accent, 1.5);
    if (pointedToken_ >= 0) {
        const auto all = mapRect(), here = pointRect(pointedToken_, pointedKey_);
        painter.setPen(QPen(c.text, 1, Qt::DotLine));
        painter.drawLine(QPointF(all.left(), here.center().y()), QPointF(here.left(), here.center().y()));
        painter.drawLine(QPointF(here.center().x(), here.bottom()), QPointF(here.center().x(), all.bottom()));
        around(here, c.text, 1);
    } else if (token_ >= 0 && key_ >= 0) {
        around(pointRect(token_, key_), c.text, 1.5);
    }
}

QImage MapView::picture(const QString& title) const
{
    const auto& c = Theme::instance().colours();
    constexpr double scale = 2;
    QImage image((QSizeF(width(), height() + pictureHead) * scale).toSize(), QImage::Format_RGB32);
    image.setDevicePixelRatio(scale);
    image.fill(c.surface);
    if (image_.isNull()) return image;
    QPainter painter(&image);
    auto bold = font();
    bold.setBold(true);
    painter.setFont(bold);
    painter.setPen(c.text);
    painter.drawText(QRect(10, 0, width() - 20, pictureHead), Qt::AlignVCenter | Qt::AlignLeft,
        painter.fontMetrics().elidedText(title, Qt::ElideRight, width() - 20));
    painter.setFont(font());
    painter.translate(0, pictureHead);
    paintMap(painter);
    if (named()) paintNames(painter);
    return image;
}

QSize MapView::sizeHint() const { return { 320, 300 }; }
QSize MapView::minimumSizeHint() const { return { 140, 140 }; }

void MapView::changeEvent(QEvent* event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange) update();
}

void MapView::point(int token, int key)
{
    if (token == pointedToken_ && key == pointedKey_) return;
    pointedToken_ = token;
    pointedKey_ = key;
    update();
    Q_EMIT pointed(token, key);
}

void MapView::mouseMoveEvent(QMouseEvent* event)
{
    const auto [token, key] = at(event->position());
    point(token, key);
}

void MapView::leaveEvent(QEvent* event)
{
    QWidget::leaveEvent(event);
    point(-1, -1);
}

void MapView::mousePressEvent(QMouseEvent* event)
{
    const auto [token, key] = at(event->position());
    if (event->button() == Qt::LeftButton && token >= 0) Q_EMIT tokenChosen(token);
}

void MapView::keyPressEvent(QKeyEvent* event)
{
    const bool plain = !(event->modifiers() & ~Qt::KeypadModifier);
    const int n = tokens();
    const auto choose = [&](int token) {
        token = std::clamp(token, 0, n - 1);
        if (token != token_) Q_EMIT tokenChosen(token);
    };
    const auto look = [&](int key) {
        setKey(std::clamp(key, 0, token_));
        Q_EMIT keyChanged(key_);
    };
    if (!plain || n == 0 || token_ < 0) return event->ignore();
    switch (event->key()) {
    case Qt::Key_Up:
        return choose(token_ - 1);
    case Qt::Key_Down:
        return choose(token_ + 1);
    case Qt::Key_Home:
        return choose(0);
    case Qt::Key_End:
        return choose(n - 1);
    case Qt::Key_Left:
        return look(key_ < 0 ? token_ : key_ - 1);
    case Qt::Key_Right:
        return look(key_ < 0 ? 0 : key_ + 1);
    default:
        event->ignore();
    }
}

} // namespace pha::ui
