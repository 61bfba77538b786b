// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QVector>
#include <QWidget>

namespace pha::ui {

/// What stands under the cursor: place, time, and each curve's value with its colour. Two lines of fixed height outside
/// the charts, so that reading a value hides no curve and moves nothing.
class ReadoutStrip : public QWidget {
    Q_OBJECT

public:
    struct Item {
        QColor colour; ///< invalid: no swatch
        QString name, value;
    };
    explicit ReadoutStrip(QWidget* parent = nullptr);
    void setItems(QVector<Item> items);
    void clear(); ///< shows how to get a readout
    QString text() const; ///< all of it, also what has no room
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QVector<Item> items_;
};

} // namespace pha::ui
