// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/controls/controls.h"

#include <QCoreApplication>
#include <QWidget>

class QComboBox;
class QPushButton;
class QSpinBox;
class QStackedWidget;
class QTableWidget;

namespace pha::ui {

class ElidedLabel;
class GradientTable;
class TintLegend;
class TokenView;

/// The widgets of the alerts and where they are. What they do is the panel's business.
struct AlertsView {
    Q_DECLARE_TR_FUNCTIONS(AlertsView)
public:
    explicit AlertsView(QWidget* panel);

    QStackedWidget *pages, *autopsy; ///< 0: why there is nothing
    EmptyPage empty;
    QLabel* noAutopsy;
    QTableWidget* list;
    QLabel *message, *figures, *mixing;
    QComboBox* choice; ///< of a text
    TokenView* text;
    TintLegend* legend;
    GradientTable* gradients;
    QSpinBox* updates;
    QPushButton *around, *slower, *halve;
    ElidedLabel* hint;

private:
    QWidget* buildList();
    QWidget* buildText();
    QWidget* buildGradients();
    QWidget* buildActions();
};

} // namespace pha::ui
