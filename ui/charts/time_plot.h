// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/chart_frame.h"
#include "ui/charts/plot_marks.h"

#include <functional>
#include <memory>
#include <vector>

namespace pha::ui {

class CursorItem;
class EdgeLabelItem;
class MarkerItem;
class SampledGraph;

enum class SeriesStyle { Line, Bold, Ghost, Points, Edge }; ///< an edge of a band has no line of its own

struct SeriesOptions {
    QString name; ///< in the readout and the data table
    SeriesStyle style = SeriesStyle::Line;
    ColourRole colour;
    int owner = -1; ///< the caller's number for what the curve belongs to
    bool readout = true; ///< named under the cursor
    std::function<QString(int index)> detail = {}; ///< what is said of a point behind its value
    QStringList columns = {}; ///< further ones of the data table
    std::function<double(int index, int column)> figure = {}; ///< what they hold
};

/// One curve under the cursor.
struct CursorValue {
    int series = 0, owner = -1;
    QString name;
    QColor colour;
    double x = 0, value = 0;
    ValueKind kind = ValueKind::Loss;
    QString detail = {};
    QString text() const { return valueText(kind, value) + detail; }
};

/// Curves over steps, tokens or time that grow while one looks at them. Every point is kept and none is dropped from
/// view; NaN is a gap with a mark, on a logarithmic axis values that have no logarithm lie on the lowest that has one
/// (the table and the readout still tell the truth). Zoom: wheel, Shift+drag a box; pan: drag; fit and follow: double
/// click or Home. Keys: arrows move the cursor, + and - zoom, Page keys pan, Escape drops the cursor. GUI thread only.
class TimePlot : public ChartFrame {
    Q_OBJECT

public:
    TimePlot(const QString& name, const QString& title, ValueKind kind, QWidget* parent = nullptr);
    ~TimePlot() override;

    int addSeries(const SeriesOptions& options);
    void removeAllSeries();
    void clearPoints(int series);
    void append(int series, double x, double y); ///< x never decreases
    /// Another value for a point that is there. False, and nothing is changed, unless both it and the old one are
    /// finite and greater than zero: gaps and what has no logarithm are kept in the order in which they were appended.
    bool replace(int series, int index, double y);
    void truncate(int series, int count); ///< forgets what was appended after the first `count` points
    void setBand(int lower, int upper); ///< fills between two curves, which have their points at the same places
    int count(int series) const;
    double xAt(int series, int index) const;
    double valueAt(int series, int index) const; ///< as it was appended

    void setKind(ValueKind kind);
    ValueKind kind() const { return kind_; }
    void setXAxis(XAxis axis);
    void setLogarithmic(bool on);
    bool logarithmic() const { return logarithmic_; }
    void setIgnoreOutliers(bool on); ///< y range from the middle 98 % of the values
    void setFromZero(bool on) { fromZero_ = on; }
    void setYLimits(double low, double high); ///< fixed when fitted; equal: none
    void setEdgeLabels(QVector<EdgeLabel> labels, bool fitThem);
    void setRightMargin(const QString& widestLabel); ///< room for edge labels; the margin never moves afterwards
    void setMarkers(QVector<PlotMarker> markers);

    void fitAndFollow();
    bool following() const { return following_; }
    void showRange(double from, double to); ///< stops following
    bool xBounds(double& from, double& to) const; ///< of the data; false: none
    void setBoundsSource(std::function<bool(double&, double&)> source)
    {
        bounds_ = std::move(source);
    } ///< linked charts
    /// Actions of the caller's own at the top of the menu, for the place of the pointer or the cursor.
    void setMenuSource(std::function<void(QMenu& menu, double x)> source) { menuSource_ = std::move(source); }
    void setCursor(double x);
    void clearCursor();
    QVector<CursorValue> cursorValues(double x) const;
    QStringList markersNear(double x) const;

    QVector<ChartSheet> sheets() const override;
    void redraw() override;

Q_SIGNALS:
    void cursorMoved(double x); ///< by pointer or keys, over this chart
    void cursorLeft();
    void viewChanged(double from, double to); ///< by the user
    void followRequested(); ///< by the user; comes with following already set here
    void curveClicked(int owner);
    void logarithmicToggled(bool on); ///< from the chart's own menu

protected:
    void applyTheme() override;
    void fillMenu(QMenu& menu) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    bool event(QEvent* event) override;
    void changeEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    struct Series;
    Series* find(int id) const;
    static double trueValue(const Series& series, int index); ///< as it was appended
    bool crowded() const;
    void style(Series& series);
    void fitX();
    void fitY();
    bool valueRange(const Series& series, double from, double to, double& low, double& high) const;
    void zoomX(double factor, double centre);
    void zoomY(double factor, double centre);
    void pan(double dx, double dy);
    void userChangedView();
    void hover(double pixel);
    void moveCursor(int direction, bool far);
    void placeCursor(double x);
    void click(const QPoint& place);
    bool mouse(QEvent* event);

    std::vector<std::unique_ptr<Series>> series_;
    int nextId_ = 0;
    ValueKind kind_;
    XAxis axis_ = XAxis::Step;
    bool logarithmic_ = false, ignoreOutliers_ = false, fromZero_ = false, fitLabels_ = false;
    bool following_ = true, yAuto_ = true;
    double yLow_ = 0, yHigh_ = 0;
    QString widestLabel_;
    std::function<bool(double&, double&)> bounds_;
    std::function<void(QMenu&, double)> menuSource_;
    EdgeLabelItem* edge_ = nullptr;
    MarkerItem* marks_ = nullptr;
    CursorItem* cursor_ = nullptr;
    QToolButton* live_ = nullptr;
    double cursorX_ = 0;
    bool cursorShown_ = false;
    class Drag;
    std::unique_ptr<Drag> drag_;
};

} // namespace pha::ui
