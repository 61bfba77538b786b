// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QAction;

namespace pha::ui {

/// What a window without runs shows: what the program is for, and the one button to press.
class WelcomePage : public QWidget {
    Q_OBJECT

public:
    WelcomePage(QAction* runDemo, QAction* newRun, QAction* openRun, QWidget* parent = nullptr);
};

} // namespace pha::ui
