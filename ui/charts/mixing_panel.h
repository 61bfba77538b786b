// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/chart_frame.h"
#include "ui/charts/mixing_bars.h"
#include "ui/session/run_history.h"

#include <QWidget>

class QComboBox;
class QLabel;
class QSplitter;
class QToolButton;

namespace pha::ui {

class TimePlot;

/// How the branches of each layer are mixed: all layers at one time above, one layer (or the mean over layers with its
/// spread) over the whole training below. Any set of branches, any number of layers. GUI thread only.
class MixingPanel : public QWidget {
    Q_OBJECT

public:
    explicit MixingPanel(QWidget* parent = nullptr);

    /// The run to show; null: none. The history must live until the next call.
    void setHistory(const RunHistory* history);
    /// Takes in some of what the history has gained, or takes back what it has lost.
    void advance();
    bool behind() const; ///< the history has more than was taken in: advance() once more
    void setXAxis(XAxis axis);
    /// Shows the weights at a place of the x axis instead of the latest ones.
    void showAt(double x);
    void showLatest();
    void setEmptyText(const QString& text);
    TimePlot* trajectories() const { return plot_; }
    MixingBars* bars() const { return bars_; }
    void setOrientation(Qt::Orientation orientation); ///< of its two parts
    int layer() const; ///< whose course is drawn; -1: the mean

Q_SIGNALS:
    void fellBehind(); ///< as all is drawn anew

protected:
    void contextMenuEvent(QContextMenuEvent* event) override;

private:
    void buildControls(QWidget* card);
    void restart();
    void rebuildSeries();
    void drawAnew(); ///< begins to
    void goBack(std::size_t rows);
    void showRow(int row);
    void setQuantity(MixQuantity quantity);
    void setMixed(bool mixed); ///< false: a family without mixing weights, which is said
    void chooseLayer(int layer);

    const RunHistory* history_ = nullptr;
    std::int64_t generation_ = -1;
    std::size_t row_ = 0; ///< mixing rows that the plot has
    int shownRow_ = -1, layers_ = 0;
    int chosen_ = -1; ///< layer to choose once there are layers
    bool latest_ = true;
    XAxis axis_ = XAxis::Step;
    MixQuantity quantity_ = MixQuantity::Share;
    QStringList branches_;
    struct Band {
        int line = -1, low = -1, high = -1;
    };
    QVector<Band> series_;

    ChartHeader* header_ = nullptr;
    QLabel *empty_ = nullptr, *note_ = nullptr;
    QToolButton *barsButton_ = nullptr, *heatButton_ = nullptr;
    QComboBox *quantityBox_ = nullptr, *layerBox_ = nullptr;
    QSplitter* splitter_ = nullptr;
    MixingBars* bars_ = nullptr;
    TimePlot* plot_ = nullptr;
};

} // namespace pha::ui
