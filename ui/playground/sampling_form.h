// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/sampling.h"

#include <QWidget>

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QSpinBox;

namespace pha::ui {

/// How tokens are drawn.
class SamplingForm : public QWidget {
    Q_OBJECT

public:
    explicit SamplingForm(QWidget* parent = nullptr);
    Sampling sampling() const;
    void setSampling(const Sampling& sampling);
    void nextSeed(); ///< a new seed, if the user wants one each time
    void reset();

private:
    void showPreset();
    QComboBox* preset_;
    QSpinBox *maxTokens_, *topK_, *seed_;
    QDoubleSpinBox *temperature_, *topP_, *penalty_;
    QCheckBox* newSeed_;
};

} // namespace pha::ui
