// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>
#include <QVector>

class QGridLayout;
class QLabel;

namespace pha::ui {

/// One figure, large, with what it is above it and how it compares below.
class FigureTile : public QFrame {
    Q_OBJECT

public:
    FigureTile(const QString& title, const QString& tip, QWidget* parent);
    void set(const QString& value, const QString& detail, const char* detailRole = "small");

private:
    QLabel *value_, *detail_;
    QString title_;
};

/// Tiles side by side, or two by two where the panel is narrow: no figure is ever cut off.
class TileRow : public QWidget {
    Q_OBJECT

public:
    TileRow(const QVector<FigureTile*>& tiles, QWidget* parent);
    QSize minimumSizeHint() const override; ///< of two beside each other, however many are now

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    int widest() const;
    void arrange(int columns);

    QVector<FigureTile*> tiles_;
    QGridLayout* grid_;
    int columns_ = 0;
};

} // namespace pha::ui
