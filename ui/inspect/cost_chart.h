// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/chart_frame.h"

#include "engine/engine.h"

#include <QPoint>

#include <memory>
#include <vector>

class QCPGraph;
class QCPItemRect;

namespace pha::ui {

using CostsPtr = std::shared_ptr<const BranchCosts>;

/// What stands on the x axis.
enum class CostAxis { Time, Flops, Weights, Cache };
double costOf(const BranchCost& cell, CostAxis axis);
QString costText(double cost, CostAxis axis); ///< "0.412 ms", "0.21 MFLOP", "128 KiB"
QString placeTitle(const PartPlace& place); ///< "L3 Attention"
QString changeText(double change); ///< of a perplexity: "+0.31"

/// What every part of every layer costs against what it is worth, a dot each. Dots are selected by clicks, by a
/// rectangle, and with keys; what that means is others' business.
class CostChart : public ChartFrame {
    Q_OBJECT

public:
    explicit CostChart(QWidget* parent);
    void setCosts(const CostsPtr& costs); ///< null: none. Nothing is selected then
    void setAxis(CostAxis axis);
    CostAxis axis() const { return axis_; }
    void setSelected(std::vector<int> cells); ///< indices, ascending
    const std::vector<int>& selected() const { return selected_; }
    int cursor() const { return cursor_; }
    QPointF dot(int cell) const; ///< in pixels of the plot
    QString reading(int cell) const; ///< all of its figures

    QVector<ChartSheet> sheets() const override;
    void redraw() override;

Q_SIGNALS:
    void selectionChanged();
    void readingChanged(const QString& text); ///< of the dot that is pointed at; empty: none

protected:
    void applyTheme() override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    void rebuild();
    double largestShown() const; ///< rise of perplexity; larger ones are drawn at the edge, or nobody could see others
    double shownRise(int cell) const; ///< where its dot lies
    void mark(); ///< selection and cursor
    void choose(std::vector<int> cells);
    void toggle(int cell);
    void setCursor(int cell);
    int nearest(const QPointF& at) const; ///< -1: no dot is near
    void press(const QMouseEvent& event);
    void drag(const QPoint& at);
    void release(const QMouseEvent& event);
    std::vector<int> byCost() const; ///< from the cheapest

    CostsPtr costs_;
    CostAxis axis_ = CostAxis::Time;
    std::vector<int> selected_;
    int cursor_ = -1;
    double top_ = 0, edge_ = 1; ///< where dots lie that have their place on the axis, and where those beyond
    QPoint pressed_;
    bool pressing_ = false, dragging_ = false;
    QCPGraph *chosen_ = nullptr, *at_ = nullptr;
    QCPItemRect* band_ = nullptr;
};

} // namespace pha::ui
