// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/chart_format.h"
#include "ui/charts/chart_table.h"

#include <QPointer>
#include <QVector>
#include <QWidget>

class QCustomPlot;
class QLabel;
class QMenu;
class QPainter;
class QToolButton;

namespace pha::ui {

class RedrawQueue;

/// An entry of a chart's legend.
struct LegendEntry {
    enum class Mark { Line, ThickLine, Dots, Triangle, Diamond, Box };
    QString text;
    ColourRole colour;
    Mark mark = Mark::Line;
};
void drawLegendMark(QPainter& painter, const QRectF& box, LegendEntry::Mark mark, const QColor& colour);

/// Title, headline and legend above a plot. Of a short headline nothing is cut: the title makes room for
/// it. What else does not fit is left out from the right, the title last.
class ChartHeader : public QWidget {
    Q_OBJECT

public:
    explicit ChartHeader(QWidget* parent);
    void setTitle(const QString& title);
    void setHeadline(const QString& headline);
    void setLegend(QVector<LegendEntry> legend);
    const QString& title() const { return title_; }
    const QString& headline() const { return headline_; }
    void draw(QPainter& painter, const QRectF& area) const; ///< also into pictures
    QSize sizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QString title_, headline_;
    QVector<LegendEntry> legend_;
};

/// A rounded surface with a thin edge, in the accent colour while it has the focus.
class Card : public QWidget {
    Q_OBJECT

public:
    explicit Card(QWidget* parent);

protected:
    void paintEvent(QPaintEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
};

/// What every chart has: a card with a header, the plot in the colours of the theme, a word for when it is empty,
/// export as picture and figures, a table of its data, and a focus ring. Subclasses fill the plot. GUI thread only.
class ChartFrame : public Card {
    Q_OBJECT

public:
    ChartFrame(const QString& name, const QString& title, QWidget* parent);
    ~ChartFrame() override;

    QCustomPlot* plot() const { return plot_; }
    QString title() const { return header_->title(); }
    void setTitle(const QString& title);
    void setHeadline(const QString& headline); ///< the one figure that matters, beside the title
    QString headline() const { return header_->headline(); }
    void setLegend(QVector<LegendEntry> legend) { header_->setLegend(std::move(legend)); }
    void setEmptyText(const QString& text); ///< shown over the plot; empty: there is something to see

    virtual QVector<ChartSheet> sheets() const = 0;
    ChartTableDialog* showTable();
    /// Writes .png (at twice the size), .svg, .pdf or .csv by the ending. False with a reason in `problem`.
    bool exportTo(const QString& file, QString& problem);
    void askAndExport(const QString& ending); ///< file dialog, then exportTo, then a box if it failed
    /// How a file name is asked for; tests put their own here.
    using FileChooser = std::function<QString(QWidget* parent, const QString& title, const QString& suggestion)>;
    static void setFileChooser(FileChooser chooser);

    void addHeaderWidget(QWidget* widget); ///< at the right end of the header
    /// Draws now, if visible; else when shown.
    virtual void redraw();
    /// Draws soon: in a slice of the queue if there is one, else in the next turn of the event loop. Many calls draw
    /// once.
    void requestRedraw();
    void setRedrawQueue(RedrawQueue* queue);

protected:
    /// An open table gets the present sheets in the next turn of the event loop: their headings, or the curves that
    /// they read, have changed.
    void refreshTable();
    void setTicksOutside(bool subTicks); ///< short ones, at both axes
    virtual void applyTheme();
    virtual void fillMenu(QMenu& menu);
    void contextMenuEvent(QContextMenuEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    void openMenu(const QPoint& at); ///< on the screen
    QByteArray render(const QString& ending) const;
    void paintPicture(QPaintDevice& device, double scale) const; ///< header and plot

    ChartHeader* header_ = nullptr;
    QCustomPlot* plot_ = nullptr;
    QLabel* empty_ = nullptr;
    QPointer<ChartTableDialog> table_;
    QPointer<RedrawQueue> queue_;
    bool needsRedraw_ = true, requested_ = false, tableRequested_ = false;
};

} // namespace pha::ui
