// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/run_curves.h"

#include <QWidget>

class QComboBox;
class QLabel;
class QSlider;
class QToolButton;

namespace pha::ui {

/// The switches above the charts. Holds the settings; says when the user changed them.
class MonitorToolbar : public QWidget {
    Q_OBJECT

public:
    explicit MonitorToolbar(QWidget* parent = nullptr);
    CurveSettings settings() const;
    bool logarithmic() const;
    void setLogarithmic(bool on); ///< without a signal
    void setAxis(XAxis axis);
    void setSmoothing(double smoothing);
    void setFollowing(bool following);

Q_SIGNALS:
    void quantityChanged();
    void axisChanged();
    void smoothingChanged();
    void rawToggled();
    void logarithmicToggled(bool on);
    void followRequested();
    void exportRequested();

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    QToolButton* button(const QString& name, const QString& text, const QString& tip, bool checkable);

    QToolButton *loss_ = nullptr, *perplexity_ = nullptr, *raw_ = nullptr, *log_ = nullptr, *fit_ = nullptr,
                *export_ = nullptr;
    QComboBox* axis_ = nullptr;
    QSlider* smoothing_ = nullptr;
    QLabel *smoothingValue_ = nullptr, *axisLabel_ = nullptr, *smoothingLabel_ = nullptr;
};

} // namespace pha::ui
