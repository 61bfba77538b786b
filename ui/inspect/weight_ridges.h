// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/chart_frame.h"
#include "ui/inspect/weight_history.h"

#include <QPolygonF>
#include <QRectF>

#include <vector>

namespace pha::ui {

class RidgeItem;
class RidgeCursor;

/// How the numbers of tensors are distributed at each checkpoint: ridges one behind the other, the newest in front and
/// strongest. Several tensors stand side by side on one scale, so that widths can be compared.
class WeightRidges : public ChartFrame {
    Q_OBJECT

public:
    static constexpr int mostPanels = 4, columns = 128;

    /// One checkpoint of one tensor.
    struct Ridge {
        std::int64_t step = 0, total = 0; ///< total: finite numbers
        std::vector<std::int64_t> counts; ///< in `columns` bins from -range to range of the chart
    };
    struct Panel {
        QString title; ///< "L3 gss.value"
        QString rms, moved, rank; ///< "rms 0.033", "moved 113 %", "rank 88 of 128", of the newest checkpoint
        QString part;
        std::vector<Ridge> ridges; ///< oldest first
        double most = 0; ///< largest count
    };

    explicit WeightRidges(QWidget* parent);
    /// Which tensors of which checkpoints; the moments are read now and not kept.
    void setTensors(const std::vector<WeightMoment>& moments, const std::vector<std::string>& tensors);
    void setLogarithmic(bool on);
    bool logarithmic() const { return logarithmic_; }

    const std::vector<Panel>& panels() const { return panels_; }
    double range() const { return range_; } ///< of the bins
    double limit() const { return limit_; } ///< the x axis ends there
    /// What stands under the cursor: "L3 gss.value, step 120: 1,024 of 65,536 numbers (1.6 %) from 0.0156 to 0.0176".
    QString reading() const;

    QVector<ChartSheet> sheets() const override;
    void redraw() override;

    // Where things are, in pixels of the plot; for drawing and tests.
    QRectF panelRect(int panel) const;
    std::vector<int> shownRidges(int panel) const; ///< indices of ridges that have room: always the first and the last
    QPolygonF outline(int panel, int ridge) const; ///< from left to right

Q_SIGNALS:
    void readingChanged(const QString& text); ///< empty: the cursor is nowhere

protected:
    void applyTheme() override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    friend class RidgeItem;
    friend class RidgeCursor;
    struct Cursor {
        int panel = -1, ridge = -1, column = 0;
        bool operator==(const Cursor&) const = default;
    };
    double height(const Panel& panel, std::int64_t count) const; ///< 0 to 1
    double baseline(int panel, int ridge) const;
    double spacing(int panel) const;
    double xOf(const QRectF& rect, double value) const;
    int firstColumn() const; ///< of those between the ends of the x axis
    void point(const QPointF& at);
    void setCursor(const Cursor& cursor);
    void describe();

    std::vector<Panel> panels_;
    double range_ = 0, limit_ = 0;
    bool logarithmic_ = false;
    Cursor cursor_;
    RidgeItem* item_ = nullptr;
    RidgeCursor* mark_ = nullptr;
};

} // namespace pha::ui
