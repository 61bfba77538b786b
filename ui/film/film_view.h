// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/controls/controls.h"

#include <QCoreApplication>
#include <QWidget>

class QComboBox;
class QPushButton;
class QStackedWidget;
class QToolButton;

namespace pha::ui {

class ElidedLabel;
class FilmSlider;
class LookLegend;
class MessageLabel;
class MixingBars;
class TimePlot;
class TintLegend;
class TokenView;

/// The widgets of the film and where they are. What they do is the panel's business.
struct FilmView {
    Q_DECLARE_TR_FUNCTIONS(FilmView)
public:
    explicit FilmView(QWidget* panel);

    QStackedWidget* pages; ///< 0: why there is nothing, 1: the film
    EmptyPage empty;
    QLabel *now, *mixTitle;
    ElidedLabel* figures;
    MessageLabel* message;
    QToolButton* play;
    FilmSlider* slider;
    QComboBox *speed, *tint;
    TintLegend* tintLegend;
    TokenView* text;
    QPushButton *copy, *save;
    LookLegend* mixLegend;
    MixingBars* bars;
    TimePlot* curve;
    int valid; ///< the curve's series

private:
    QWidget* buildControls();
    QWidget* buildText();
    QWidget* buildMix();
    void buildCurve();
};

} // namespace pha::ui
