// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/config_form/cost_estimate.h"

#include <QWidget>

class QLabel;
class QProgressBar;

namespace pha::ui {

/// Parameters, memory and time of the configuration in the form, beside what this machine has.
class CostBox : public QWidget {
    Q_OBJECT

public:
    explicit CostBox(QWidget* parent = nullptr);
    void setCosts(const std::optional<CostEstimate>& costs); ///< nothing: the form has errors
    bool fits() const { return fits_; }

private:
    void setTime(const CostEstimate& costs);

    QLabel *parameters_, *memory_, *time_, *timeName_ = nullptr;
    QProgressBar* memoryBar_;
    bool fits_ = true;
};

} // namespace pha::ui
