// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/look/icons.h"

#include "ui/look/theme.h"

#include <QHash>
#include <QIconEngine>
#include <QPainter>
#include <QPixmapCache>
#include <QSvgRenderer>

namespace pha::ui {

namespace {

/// Drawn on a 16 x 16 grid. `F` stands for a filled shape, everything else is stroked.
const QHash<QString, QByteArray>& shapes()
{
    static const QHash<QString, QByteArray> all {
        { "play", "<path class='F' d='M4.5 2.8v10.4L13 8z'/>" },
        { "pause", "<path class='F' d='M4 3h2.8v10H4zM9.2 3H12v10H9.2z'/>" },
        { "previous", "<path class='F' d='M3 3h2v10H3zM13 2.8v10.4L5.5 8z'/>" },
        { "next", "<path class='F' d='M11 3h2v10h-2zM3 2.8v10.4L10.5 8z'/>" },
        { "stop", "<rect class='F' x='3.5' y='3.5' width='9' height='9' rx='1.2'/>" },
        { "save", "<path d='M8 2.5v7M5 6.8l3 3 3-3M2.8 11v2.3h10.4V11'/>" },
        { "plus", "<path d='M8 3v10M3 8h10'/>" },
        { "fork",
            "<circle cx='4' cy='3.5' r='1.5'/><circle cx='4' cy='12.5' r='1.5'/><circle cx='12' cy='5.5' r='1.5'/>"
            "<path d='M4 5v6M4 10c0-3 6.5-1 7.5-3'/>" },
        { "clone", "<rect x='5.5' y='5.5' width='8' height='8' rx='1.5'/><path d='M3.5 10.5h-1v-8h8v1'/>" },
        { "trash", "<path d='M3 4.5h10M6.2 4.5v-2h3.6v2M4.3 4.5l.6 9h6.2l.6-9'/>" },
        { "archive", "<path d='M2.5 3.5h11v3h-11zM3.5 6.5v6.5h9V6.5M6.3 9h3.4'/>" },
        { "search", "<circle cx='7' cy='7' r='4.3'/><path d='M10.3 10.3l3.4 3.4'/>" },
        { "chart", "<path d='M2.5 2.5v11h11M5 10.5l2.5-4 2.5 2 3-5'/>" },
        { "gauge", "<path d='M2.7 12a6 6 0 1 1 10.6 0M8 9.2l2.6-3.4'/>" },
        { "pen", "<path d='M3 13l.6-2.8L11 2.8l2.2 2.2-7.4 7.4zM9.6 4.2l2.2 2.2'/>" },
        { "sliders",
            "<path d='M3 4.5h5M11.5 4.5H13M3 11.5h1.5M8 11.5h5'/><circle cx='9.8' cy='4.5' r='1.6'/><circle cx='6.2' "
            "cy='11.5' r='1.6'/>" },
        { "copy", "<rect x='5.5' y='5.5' width='8' height='8' rx='1.5'/><path d='M3.5 10.5h-1v-8h8v1'/>" },
        { "close", "<path d='M4 4l8 8M12 4l-8 8'/>" },
        { "folder", "<path d='M2.5 12.8V3.5h4l1.4 1.8h5.6v7.5z'/>" },
        { "list", "<path d='M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.6M2.5 8h.6M2.5 12h.6'/>" },
        { "chevron-right", "<path d='M6 3.8L10.2 8 6 12.2'/>" },
        { "arrow-up", "<path d='M8 13V3.5M4 7.3l4-4 4 4'/>" },
        { "arrow-down", "<path d='M8 3v9.5M4 8.7l4 4 4-4'/>" },
        { "chevron-down", "<path d='M3.8 6L8 10.2 12.2 6'/>" },
        { "undo", "<path d='M6 3L3 6l3 3M3.2 6H10a3.4 3.4 0 0 1 0 6.8H7'/>" },
        { "redo", "<path d='M10 3l3 3-3 3M12.8 6H6a3.4 3.4 0 0 0 0 6.8h3'/>" },
        { "image",
            "<rect x='2.5' y='3' width='11' height='10' rx='1.3'/><path d='M3 11.5l3.2-3.4 2.5 2.4 2-1.8 2.6 2.6'/>" },
        { "moon", "<path d='M13 9.4A5.4 5.4 0 1 1 6.6 3a4.4 4.4 0 0 0 6.4 6.4z'/>" },
        { "sample", "<path d='M2.5 3h11v7.5H7.5L4.5 13v-2.5h-2zM5 5.7h6M5 7.9h4'/>" },
    };
    return all;
}

QByteArray svg(const QByteArray& shape, const QColor& colour)
{
    const auto name = colour.name().toLatin1();
    auto body = shape;
    body.replace("class='F'", "fill='" + name + "' stroke='none'");
    return "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='none' stroke='" + name
        + "' stroke-width='1.35' stroke-linecap='round' stroke-linejoin='round'>" + body + "</svg>";
}

/// Renders when asked, so that one QIcon follows the theme and any device pixel ratio.
class LineIconEngine : public QIconEngine {
public:
    LineIconEngine(QString name, bool onAccent)
        : name_(std::move(name))
        , onAccent_(onAccent)
    {
    }
    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State) override
    {
        const auto& c = Theme::instance().colours();
        auto colour = onAccent_ ? c.onAccent : c.text;
        if (mode == QIcon::Disabled) colour = c.dark ? QColor(0x5C6470) : QColor(0xA6ADB7);
        const int side = std::min(rect.width(), rect.height());
        const QRectF square(
            rect.x() + (rect.width() - side) / 2.0, rect.y() + (rect.height() - side) / 2.0, side, side);
        QSvgRenderer(svg(shapes().value(name_), colour)).render(painter, square);
    }
    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override
    {
        return scaledPixmap(size, mode, state, 1);
    }
    QPixmap scaledPixmap(const QSize& size, QIcon::Mode mode, QIcon::State state, qreal) override
    {
        // The size is in device pixels already; toolbars ask for the same few over and over.
        const auto key = QStringLiteral("pha-icon/%1/%2/%3/%4/%5")
                             .arg(name_)
                             .arg(size.width())
                             .arg(int(mode))
                             .arg(onAccent_)
                             .arg(Theme::instance().colours().dark);
        QPixmap pixmap;
        if (QPixmapCache::find(key, &pixmap)) return pixmap;
        pixmap = QPixmap(size);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        painter.setRenderHint(QPainter::Antialiasing);
        paint(&painter, QRect(QPoint(0, 0), size), mode, state);
        painter.end();
        QPixmapCache::insert(key, pixmap);
        return pixmap;
    }
    QIconEngine* clone() const override { return new LineIconEngine(name_, onAccent_); }

private:
    QString name_;
    bool onAccent_;
};

} // namespace

QIcon icon(const QString& name)
{
    Q_ASSERT(shapes().contains(name));
    return QIcon(new LineIconEngine(name, false));
}

QIcon iconOnAccent(const QString& name)
{
    Q_ASSERT(shapes().contains(name));
    return QIcon(new LineIconEngine(name, true));
}

QIcon applicationIcon()
{
    // Three branches that meet in one: the architecture in a sign.
    static const QByteArray sign =
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'><rect width='64' height='64' rx='14' "
        "fill='#1B2433'/>"
        "<g fill='none' stroke-width='5' stroke-linecap='round'><path d='M14 18c16 0 16 14 36 14' stroke='#56B4E9'/>"
        "<path d='M14 46c16 0 16-14 36-14' stroke='#35C49B'/><path d='M14 32h36' stroke='#F28C38'/></g>"
        "<circle cx='50' cy='32' r='6' fill='#FFFFFF'/></svg>";
    QIcon result;
    QSvgRenderer renderer(sign);
    for (const int side : { 16, 24, 32, 48, 64, 128, 256 }) {
        QPixmap pixmap(side, side);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        renderer.render(&painter);
        painter.end();
        result.addPixmap(pixmap);
    }
    return result;
}

} // namespace pha::ui
