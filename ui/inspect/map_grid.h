// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/inspect/look_figures.h"

#include <QAbstractScrollArea>
#include <QImage>
#include <QTimer>

namespace pha::ui {

class MapRamp;

/// All maps of a look as small pictures: a row for each layer, a column for each head. One is selected, with the
/// pointer or the arrow keys. Pictures are made when they come into sight, in slices, so that hundreds of heads never
/// hold up the window.
class MapGrid : public QAbstractScrollArea {
    Q_OBJECT

public:
    explicit MapGrid(QWidget* parent = nullptr);
    void setLook(const LookPtr& look); ///< null: nothing. Selects the same place as before if there is one
    const MapPlan& plan() const { return plan_; }
    int selected() const { return selected_; } ///< index in the plan's cells; -1: none
    void select(int cell); ///< and scrolls there
    QRect cellRect(int cell) const; ///< in the viewport
    int cellAt(const QPoint& point) const; ///< -1: none
    QString describe(int cell) const; ///< what it shows, and what the head does with the text
    int comfortableHeight() const; ///< shows all layers, if they are few
    bool complete() const; ///< every picture in sight has been made
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

Q_SIGNALS:
    void selectedChanged(int cell);
    void hovered(int cell); ///< -1: none

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool viewportEvent(QEvent* event) override;

private:
    void layOut();
    void hover(int cell);
    void walk(int rows, int columns);
    void makePictures();
    QImage picture(int cell, const MapRamp& ramp) const;
    int columnLeft(int column) const; ///< in the content
    int headHeight() const;
    int headWidth() const;
    QPoint origin() const; ///< of the content, in the viewport
    void paintHeads(QPainter& painter) const;

    LookPtr look_;
    MapPlan plan_;
    std::vector<QImage> pictures_; ///< of each cell; null: not made yet
    int selected_ = -1, hovered_ = -1, side_ = 48;
    QTimer maker_;
};

} // namespace pha::ui
