// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"
#include "ui/charts/chart_table.h"

#include <QAbstractScrollArea>
#include <QColor>

namespace pha::ui {

/// Which figure of a branch is shown.
enum class MixQuantity {
    Share, ///< mixing weight as a share of its layer: what the model pays attention to
    Weight, ///< the weight itself; differs where weights need not add up to one
    /// ||w n|| / ||y||: what arrives in the layer's output, which a weight alone can hide. Of parts that are not mixed:
    /// what they write, as a share of the residual stream.
    Contribution
};
double mixValue(const BranchMix& branch, MixQuantity quantity);
QString mixText(double value, MixQuantity quantity, int decimals); ///< "46.9 %", "0.52"

/// Mean and standard deviation over the layers that mix, or all layers where none does, branch by branch, and the mean
/// entropy.
struct MixSummary {
    int layers = 0; ///< that count
    QStringList branches;
    QVector<double> mean, deviation;
    double entropy = 0;
};
MixSummary summarise(const std::vector<LayerMix>& layers, MixQuantity quantity);

/// The mixing weights of all layers at one time: a first row for the mean over layers, then a row for each layer, as
/// stacked bars or as a heat map. Rows can be chosen with the mouse or the arrow keys; many rows scroll.
class MixingBars : public QAbstractScrollArea {
    Q_OBJECT

public:
    explicit MixingBars(QWidget* parent = nullptr);
    void setLayers(const std::vector<LayerMix>& layers);
    void setQuantity(MixQuantity quantity);
    void setHeatMap(bool on);
    void setSelected(int layer); ///< -1: the mean
    int selected() const { return selected_; }
    int rows() const { return layers_.empty() ? 0 : int(layers_.size()) + 1; }
    int rowHeight() const;
    QRect rowRect(int row) const; ///< in the viewport; row 0 is the mean
    /// Left edges and widths of one row's bar segments, and the texts in them (empty where there is no room).
    struct Segment {
        QRectF rect;
        QString text;
        int branch = 0;
    };
    QVector<Segment> segments(int row) const;
    bool mixed() const { return layers_.empty() || anyMixed(layers_); } ///< false: parts without weights
    static QString rowName(int row); ///< "mean", "L0", ...
    QString describe(int row) const; ///< exact figures, for tool tip and screen reader
    ChartSheet sheet() const;
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

Q_SIGNALS:
    void layerChosen(int layer);

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void layOut();
    void choose(int layer);
    int rowAt(const QPoint& place) const;
    QRectF barRect(int row) const;
    double valueOf(int row, int branch) const;
    double entropyOf(int row) const;
    bool mixes(int row) const; ///< it has weights; a layer may have lost them
    int branchCount(int row) const;
    QString branchName(int row, int branch) const;
    double segmentWidth(int row, int branch) const;
    void chooseDecimals();

    std::vector<LayerMix> layers_;
    MixSummary summary_;
    MixQuantity quantity_ = MixQuantity::Share;
    bool heatMap_ = false;
    int selected_ = -1, decimals_ = 1;
    double scale_ = 1; ///< value that fills a bar
    double largest_ = 1; ///< value of the strongest heat map cell
};

} // namespace pha::ui
