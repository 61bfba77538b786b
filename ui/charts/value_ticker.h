// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/chart_format.h"
#include "ui/charts/qcustomplot_include.h"

namespace pha::ui {

/// Ticks of one axis: round numbers in the unit in which its values are read (thousands, powers of two for bytes, whole
/// steps, minutes), and on a logarithmic axis 1-2-5 steps, or plain steps where the range is so short that powers of
/// ten would give no tick at all.
class ValueTicker : public QCPAxisTicker {
public:
    void setValues(ValueKind kind);
    void setCounts(XAxis axis);
    void setLogarithmic(bool on) { logarithmic_ = on; }

protected:
    double getTickStep(const QCPRange& range) override;
    int getSubTickCount(double) override { return 0; }
    QVector<double> createTickVector(double tickStep, const QCPRange& range) override;
    QString getTickLabel(double tick, const QLocale& locale, QChar formatChar, int precision) override;

private:
    bool bytes() const { return !counts_ && kind_ == ValueKind::Bytes; }

    bool counts_ = false, logarithmic_ = false;
    ValueKind kind_ = ValueKind::Loss;
    XAxis axis_ = XAxis::Step;
    double step_ = 0; ///< of the ticks made last; 0: each tick has its own digits
};

} // namespace pha::ui
