// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStringList>
#include <QWidget>

#include <optional>
#include <vector>

class QDoubleSpinBox;
class QGridLayout;
class QLabel;
class QSlider;

namespace pha::ui {

/// A slider and a number for the weight of each branch in the selected layers.
class MixFaders : public QWidget {
    Q_OBJECT

public:
    explicit MixFaders(QWidget* parent = nullptr);

    struct Value {
        double low = -1, high = -1; ///< learned, over the selected layers; negative: not known
        double mean = -1; ///< in force
        std::optional<double> shown; ///< in force; empty: differs between the layers or is not known
        bool changed = false;
        bool present = true; ///< some selected layer has the branch
    };
    void setBranches(const QStringList& branches);
    void setValues(const QString& place, const std::vector<Value>& values); ///< emits nothing

Q_SIGNALS:
    void moved(int branch, double weight);

private:
    struct Row {
        QLabel* name;
        QSlider* slider;
        QDoubleSpinBox* number;
        QLabel* learned;
    };
    QLabel *place_, *heading_;
    QGridLayout* grid_;
    QStringList branches_;
    std::vector<Row> rows_;
};

} // namespace pha::ui
