// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"
#include "ui/session/run_session.h"

#include <QWidget>

class QComboBox;
class QSpinBox;

namespace pha::ui {

class WeightsBox;

/// What is evaluated: weights, split, windows.
class EvaluateForm : public QWidget {
    Q_OBJECT

public:
    explicit EvaluateForm(QWidget* parent = nullptr);
    void setSession(RunSession* session); ///< proposes as many tokens as the run itself scores while it trains
    EvaluateOptions options() const;
    WeightsBox* weights() const { return weights_; }

private:
    WeightsBox* weights_;
    QComboBox* split_;
    QSpinBox *context_, *stride_, *maxTokens_;
    bool tokensChosen_ = false; ///< by the user: not replaced by another run's
};

} // namespace pha::ui
