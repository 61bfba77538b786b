// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QSlider>

namespace pha::ui {

/// A slider over the samples of a run, with a mark at each as long as there is room between them.
class FilmSlider : public QSlider {
    Q_OBJECT

public:
    explicit FilmSlider(QWidget* parent);
    QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
};

} // namespace pha::ui
