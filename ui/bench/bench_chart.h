// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/chart_frame.h"

#include "engine/engine.h"

#include <vector>

namespace pha::ui {

/// One figure of a measurement over the context length, a line for each preset: the paper's efficiency figure from the
/// user's own machine. Lengths stand at equal distances for equal ratios.
class BenchChart : public ChartFrame {
    Q_OBJECT

public:
    using Figure = double (*)(const BenchRow&);
    BenchChart(const QString& name, const QString& title, ValueKind kind, Figure figure, QWidget* parent);

    void setRows(const std::vector<BenchRow>& rows);
    QVector<ChartSheet> sheets() const override;
    void redraw() override;

protected:
    void applyTheme() override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    struct Line {
        QString preset;
        std::vector<std::pair<std::int64_t, double>> points; ///< context and figure, in order of context
    };
    void rebuild();
    QString describe(std::int64_t context) const;
    std::vector<std::int64_t> contexts() const;

    ValueKind kind_;
    Figure figure_;
    std::vector<Line> lines_;
    int cursor_ = -1; ///< of the keyboard: index of a context
};

} // namespace pha::ui
