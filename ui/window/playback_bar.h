// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QComboBox;
class QLabel;
class QSlider;
class QToolButton;

namespace pha::ui {

class Playback;
struct WindowActions;

/// Says that what is shown is a recording, of which run and which moment, and plays it: pause, slider, next and
/// previous evaluation or sample, speed.
class PlaybackBar : public QWidget {
    Q_OBJECT

public:
    PlaybackBar(Playback* playback, const WindowActions& actions, QWidget* parent = nullptr);
    void focusSlider();

private:
    QToolButton* button(const QString& id, QAction* action, const QString& sign);
    void build(const WindowActions& actions);
    void refresh();
    void showMoment();

    Playback* playback_;
    QLabel* words_;
    QToolButton* play_;
    QSlider* slider_;
    QComboBox* speed_;
};

} // namespace pha::ui
