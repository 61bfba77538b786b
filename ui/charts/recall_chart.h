// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"
#include "ui/charts/chart_frame.h"

#include <optional>

namespace pha::ui {

/// How often a fact is recalled, by how many words ago it was stated; the dashed line is what guessing would give.
class RecallChart : public ChartFrame {
    Q_OBJECT

public:
    explicit RecallChart(QWidget* parent = nullptr);
    void setEvent(const std::optional<RecallEvent>& event);
    QVector<ChartSheet> sheets() const override;
    QString describe(int bin) const;

protected:
    void applyTheme() override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    void rebuild();
    void chooseTicks();
    QString binName(const RecallBin& bin) const;
    std::optional<RecallEvent> event_;
    int cursor_ = -1;
};

} // namespace pha::ui
