// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/inspect/look_figures.h"

#include <QImage>
#include <QWidget>

namespace pha::ui {

/// One map, as large as there is room: a row for the token at which is read, a column for each token that is there to
/// be read. One row is that of the selected token; a second mark in it is the token that is looked at, under the
/// pointer or moved with the arrow keys. Points keep sharp edges, and few tokens are named at their rows and columns.
class MapView : public QWidget {
    Q_OBJECT

public:
    explicit MapView(QWidget* parent = nullptr);
    void setMap(const LookPtr& look, const MapCell& cell); ///< null: nothing
    void setToken(int token); ///< the row that is read
    int token() const { return token_; }
    void setKey(int key); ///< the token that is looked at; -1: none
    int key() const { return key_; }
    QRectF mapRect() const; ///< where the points are
    QRectF pointRect(int token, int key) const;
    bool named() const; ///< tokens have their names at the edges
    QImage picture(const QString& title) const; ///< at twice the size, for a file
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

Q_SIGNALS:
    void tokenChosen(int token);
    void pointed(int token, int key); ///< by the pointer: at what is read at `token`; -1, -1: nowhere
    void keyChanged(int key); ///< by the arrow keys

protected:
    void paintEvent(QPaintEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    int tokens() const;
    void rebuild();
    void point(int token, int key);
    std::pair<int, int> at(const QPointF& place) const; ///< token and key; -1, -1: outside, or ahead of the token
    int edge() const; ///< room for names at the left and above
    void paintMap(QPainter& painter) const;
    void paintNames(QPainter& painter) const;
    void paintMarks(QPainter& painter) const;
    QString name(int token) const;

    LookPtr look_;
    MapCell cell_;
    QImage image_;
    int token_ = -1, key_ = -1, pointedToken_ = -1, pointedKey_ = -1;
};

} // namespace pha::ui
