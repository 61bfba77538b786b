// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCoreApplication>
#include <QWidget>

class QComboBox;
class QLabel;
class QLineEdit;
class QListWidget;
class QProgressBar;
class QPushButton;
class QSpinBox;
class QTableWidget;
class QToolButton;

namespace pha::ui {

class BenchChart;
struct Measurement;
class MessageLabel;

/// The widgets of the benchmark and where they are. What they do is the panel's business.
struct BenchView {
    Q_DECLARE_TR_FUNCTIONS(BenchView)
public:
    explicit BenchView(QWidget* panel);
    void showMeasurement(const Measurement& measurement);
    void paintSwatches(); ///< the colour of a preset's curve, before its name

    QLineEdit *filter, *contexts;
    QListWidget* presets;
    QComboBox* mode;
    QSpinBox *batchTokens, *decodeBatch, *repeats;
    QPushButton *run, *stop;
    QProgressBar* bar;
    QLabel *warning, *machine;
    MessageLabel* message;
    QComboBox* past;
    QToolButton *csv, *forget;
    BenchChart *speed, *memory;
    QTableWidget* table;

private:
    QWidget* buildControls(QWidget* panel);
    QWidget* buildPresets(QWidget* panel);
    QWidget* buildResults(QWidget* panel);
    QWidget* buildCharts(QWidget* panel);
};

} // namespace pha::ui
