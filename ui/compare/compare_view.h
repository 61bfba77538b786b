// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCoreApplication>
#include <QWidget>

class QComboBox;
class QLabel;
class QStackedWidget;
class QTableView;
class QToolButton;

namespace pha::ui {

class CompareModel;
class MessageLabel;
class ReadoutStrip;
class ScalingChart;
class TimePlot;

/// The widgets of the comparison and where they are. What they do is the panel's business.
struct CompareView {
    Q_DECLARE_TR_FUNCTIONS(CompareView)
public:
    explicit CompareView(QWidget* panel);

    QStackedWidget* pages; ///< 0: what to do, 1: the comparison
    QComboBox *show, *axis, *band, *by, *baseline;
    QWidget *curveTools, *scalingTools; ///< one of the two is shown
    QWidget* seedTools; ///< beside the first
    QStackedWidget* charts; ///< 0: the curves of the runs, 1: scaling
    ScalingChart* scaling;
    QToolButton *logarithmic, *fit, *group, *equal, *copy, *csv;
    MessageLabel* hint; ///< what is still missing, or what was saved
    ReadoutStrip* readout;
    TimePlot *perplexity, *loss;
    CompareModel* model;
    QTableView* table;

private:
    QWidget* buildTools(QWidget* panel);
    QWidget* buildCharts(QWidget* panel);
    QWidget* buildTable(QWidget* panel);
};

} // namespace pha::ui
