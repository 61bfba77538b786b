// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/mixing_panel.h"

#include "ui/charts/run_math.h"
#include "ui/charts/time_plot.h"
#include "ui/format.h"

#include <QButtonGroup>
#include <QComboBox>
#include <QContextMenuEvent>
#include <QLabel>
#include <QMenu>
#include <QSignalBlocker>
#include <QSplitter>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

namespace {

/// The course of the weights, whose table and CSV also hold the weights of all layers now.
class MixingCourse : public TimePlot {
public:
    explicit MixingCourse(const MixingBars* bars)
        : TimePlot(QStringLiteral("mixingCourse"), MixingPanel::tr("Course"), ValueKind::Share)
        , bars_(bars)
    {
    }
    QVector<ChartSheet> sheets() const override
    {
        auto all = TimePlot::sheets();
        if (bars_->rows() > 0) all << bars_->sheet();
        return all;
    }

private:
    const MixingBars* bars_;
};

} // namespace

MixingPanel::MixingPanel(QWidget* parent)
    : QWidget(parent)
{
    setObjectName(QStringLiteral("mixingPanel"));
    auto* card = new Card(nullptr);
    card->setObjectName(QStringLiteral("mixingNow"));
    header_ = new ChartHeader(card);
    header_->setTitle(tr("Branch mix"));
    bars_ = new MixingBars(card);
    plot_ = new MixingCourse(bars_);
    empty_ = new QLabel(card);
    empty_->setObjectName(QStringLiteral("mixingEmpty"));
    empty_->setAlignment(Qt::AlignCenter);
    empty_->setWordWrap(true);
    setRole(empty_, "muted");
    auto* top = new QHBoxLayout;
    top->setContentsMargins(10, 0, 10, 0);
    top->addWidget(header_);
    auto* layout = new QVBoxLayout(card);
    layout->setContentsMargins(2, 4, 2, 4);
    layout->setSpacing(2);
    layout->addLayout(top);
    buildControls(card);
    note_ =
        new QLabel(tr("This family has no mixing weights. Shown is what each part writes, as a share of the norm of "
                      "the residual stream after it."),
            card);
    note_->setObjectName(QStringLiteral("mixingNote"));
    note_->setWordWrap(true);
    note_->setContentsMargins(8, 0, 8, 2);
    setRole(note_, "muted");
    note_->hide();
    layout->addWidget(note_);
    layout->addWidget(bars_, 1);
    layout->addWidget(empty_, 1);

    layerBox_ = new QComboBox;
    layerBox_->setObjectName(QStringLiteral("mixingLayer"));
    layerBox_->setAccessibleName(tr("Layer whose course is drawn"));
    layerBox_->setToolTip(
        tr("Layer whose course is drawn, or the mean of all. A click on a layer's row chooses it too."));
    layerBox_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    plot_->addHeaderWidget(layerBox_);
    plot_->setMinimumHeight(120);

    splitter_ = new QSplitter(Qt::Vertical);
    auto* splitter = splitter_;
    splitter->setHandleWidth(6);
    splitter->setObjectName(QStringLiteral("mixingSplitter"));
    splitter->setChildrenCollapsible(false);
    splitter->addWidget(card);
    splitter->addWidget(plot_);
    splitter->setStretchFactor(0, 3);
    splitter->setStretchFactor(1, 2);
    auto* whole = new QVBoxLayout(this);
    whole->setContentsMargins(0, 0, 0, 0);
    whole->addWidget(splitter);

    connect(bars_, &MixingBars::layerChosen, this, &MixingPanel::chooseLayer);
    connect(layerBox_, &QComboBox::activated, this, [this](int index) { chooseLayer(index - 1); });
    connect(&Theme::instance(), &Theme::changed, this, [this, card] {
        card->update();
        header_->update();
        bars_->viewport()->update();
    });
    setEmptyText(tr("Mixing weights appear here while a run trains."));
    setQuantity(MixQuantity::Share);
    restart();
}

void MixingPanel::buildControls(QWidget* card)
{
    const auto button = [card](const QString& name, const QString& text, const QString& tip) {
        auto* b = new QToolButton(card);
        b->setObjectName(name);
        b->setText(text);
        b->setToolTip(tip);
        b->setAccessibleName(tip);
        b->setCheckable(true);
        return b;
    };
    barsButton_ =
        button(QStringLiteral("mixingAsBars"), tr("Bars"), tr("Stacked bars: how a layer's whole is divided"));
    heatButton_ =
        button(QStringLiteral("mixingAsHeatMap"), tr("Heat map"), tr("Heat map: compare one branch over the layers"));
    barsButton_->setChecked(true);
    auto* group = new QButtonGroup(this);
    group->addButton(barsButton_);
    group->addButton(heatButton_);
    connect(heatButton_, &QToolButton::toggled, bars_, &MixingBars::setHeatMap);

    quantityBox_ = new QComboBox(card);
    quantityBox_->setObjectName(QStringLiteral("mixingQuantity"));
    quantityBox_->setAccessibleName(tr("Quantity"));
    quantityBox_->addItem(tr("Share of weight"));
    quantityBox_->addItem(tr("Raw weight"));
    quantityBox_->addItem(tr("Contribution"));
    quantityBox_->setItemData(0, tr("Mixing weight as a share of its layer"), Qt::ToolTipRole);
    quantityBox_->setItemData(
        1, tr("The weight itself; differs from the share where weights need not add up to one"), Qt::ToolTipRole);
    quantityBox_->setItemData(
        2, tr("Norm of the weighted branch over the norm of the mix: what arrives in the output"), Qt::ToolTipRole);
    quantityBox_->setToolTip(
        tr("What is shown of each branch: its mixing weight, or how much of the layer's output it makes"));
    connect(
        quantityBox_, &QComboBox::currentIndexChanged, this, [this](int index) { setQuantity(MixQuantity(index)); });

    auto* row = new QHBoxLayout;
    row->setContentsMargins(6, 0, 8, 2);
    row->setSpacing(2);
    row->addWidget(barsButton_);
    row->addWidget(heatButton_);
    row->addStretch(1);
    row->addWidget(quantityBox_);
    static_cast<QVBoxLayout*>(card->layout())->addLayout(row);
}

void MixingPanel::setOrientation(Qt::Orientation orientation) { splitter_->setOrientation(orientation); }

int MixingPanel::layer() const { return bars_->selected(); }

void MixingPanel::setEmptyText(const QString& text)
{
    emptyText_ = text;
    empty_->setText(text);
}

void MixingPanel::setHistory(const RunHistory* history)
{
    history_ = history;
    restart();
    advance();
}

void MixingPanel::restart()
{
    generation_ = history_ ? history_->generation : -1;
    row_ = 0;
    shownRow_ = -1;
    branches_.clear();
    layers_ = 0;
    latest_ = true;
    bars_->setLayers({});
    bars_->hide();
    layerBox_->clear();
    layerBox_->hide(); // nothing to choose
    empty_->show();
    note_->hide();
    header_->setHeadline({});
    header_->setLegend({});
    rebuildSeries();
}

/// Curves for the chosen layer, or the mean with its band, from the first row on.
void MixingPanel::rebuildSeries()
{
    plot_->removeAllSeries();
    series_.clear();
    row_ = 0;
    const bool mean = layer() < 0;
    for (const auto& branch : branches_) {
        const ColourRole colour = [branch](const Colours& c) { return c.branch(branch); };
        Band band;
        SeriesOptions options { branch, SeriesStyle::Line, colour, -1, true };
        if (mean && layers_ > 1) {
            SeriesOptions edge { {}, SeriesStyle::Line, colour, -1, false };
            band.low = plot_->addSeries(edge);
            band.high = plot_->addSeries(edge);
            plot_->setBand(band.low, band.high);
        }
        band.line = plot_->addSeries(options);
        series_ << band;
    }
    if (quantity_ == MixQuantity::Share)
        plot_->setYLimits(0, 1);
    else
        plot_->setYLimits(0, 0);
    plot_->setKind(quantity_ == MixQuantity::Share ? ValueKind::Share : ValueKind::Scientific);
    plot_->setEmptyText(branches_.isEmpty() ? tr("The course of the weights is drawn here.") : QString());
    plot_->setHeadline(mean && layers_ > 1 ? tr("mean ± deviation over layers") : QString());
    plot_->requestRedraw();
}

void MixingPanel::advance()
{
    if (!history_) return;
    if (history_->generation != generation_) restart();
    const auto& rows = history_->mixing;
    if (rows.empty()) return;
    const auto& last = rows.back();
    if (branches_.isEmpty() && !last.layers.empty()) {
        branches_ = summarise(last.layers, quantity_).branches;
        layers_ = int(last.layers.size());
        QVector<LegendEntry> legend;
        for (const auto& branch : std::as_const(branches_))
            legend << LegendEntry { branch, [branch](const Colours& c) { return c.branch(branch); },
                LegendEntry::Mark::Box };
        header_->setLegend(legend);
        const QSignalBlocker quiet(layerBox_);
        layerBox_->clear();
        layerBox_->addItem(tr("mean")); // short, and as the rows of the bars are called
        for (int i = 0; i < layers_; ++i) layerBox_->addItem(tr("L%1").arg(i));
        layerBox_->setVisible(layers_ > 1);
        empty_->hide();
        bars_->show();
        setMixed(last.layers.front().mixed); // draws anew and comes back here, where branches are known now
    }
    if (row_ == rows.size()) return;
    const int chosen = layer();
    for (; row_ < rows.size(); ++row_) {
        const auto& event = rows[row_];
        const double x = placeOfStep(*history_, axis_, double(event.step));
        const bool one = chosen >= 0 && chosen < int(event.layers.size());
        const auto summary =
            one ? summarise({ event.layers[std::size_t(chosen)] }, quantity_) : summarise(event.layers, quantity_);
        for (int i = 0; i < branches_.size() && i < series_.size(); ++i) {
            const auto at = summary.branches.indexOf(branches_[i]);
            if (at < 0) continue;
            plot_->append(series_[i].line, x, summary.mean[at]);
            if (series_[i].low < 0) continue;
            plot_->append(series_[i].low, x, summary.mean[at] - summary.deviation[at]);
            plot_->append(series_[i].high, x, summary.mean[at] + summary.deviation[at]);
        }
    }
    if (latest_) showLatest();
    plot_->requestRedraw();
}

void MixingPanel::showRow(int row)
{
    if (!history_ || row == shownRow_ || row < 0 || row >= int(history_->mixing.size())) return;
    shownRow_ = row;
    const auto& event = history_->mixing[std::size_t(row)];
    bars_->setLayers(event.layers);
    const auto step = tr("step %1").arg(formatCount(event.step));
    header_->setHeadline(latest_ ? step : tr("%1 (under the cursor)").arg(step));
}

void MixingPanel::showAt(double x)
{
    if (!history_ || history_->mixing.empty()) return;
    const auto& rows = history_->mixing;
    // The last report at or before the cursor: what the model was at that time.
    const auto found = std::partition_point(rows.begin(), rows.end(),
        [&](const MixingEvent& e) { return placeOfStep(*history_, axis_, double(e.step)) <= x; });
    latest_ = false;
    showRow(std::max(0, int(found - rows.begin()) - 1));
}

void MixingPanel::showLatest()
{
    if (!latest_) shownRow_ = -1;
    latest_ = true;
    if (history_) showRow(int(history_->mixing.size()) - 1);
}

void MixingPanel::setXAxis(XAxis axis)
{
    if (axis_ == axis) return;
    axis_ = axis;
    plot_->setXAxis(axis);
    rebuildSeries();
    advance();
}

void MixingPanel::setQuantity(MixQuantity quantity)
{
    quantity_ = quantity;
    bars_->setQuantity(quantity);
    rebuildSeries();
    advance();
}

void MixingPanel::setMixed(bool mixed)
{
    note_->setVisible(!mixed);
    quantityBox_->setVisible(mixed);
    header_->setTitle(mixed ? tr("Branch mix") : tr("Parts of the layers"));
    // Without weights there is one quantity; with them the one that was chosen.
    setQuantity(mixed ? MixQuantity(quantityBox_->currentIndex()) : MixQuantity::Contribution);
}

void MixingPanel::chooseLayer(int layer)
{
    if (bars_->selected() != layer) bars_->setSelected(layer);
    layerBox_->setCurrentIndex(bars_->selected() + 1);
    rebuildSeries();
    advance();
}

void MixingPanel::contextMenuEvent(QContextMenuEvent* event)
{
    auto* menu = new QMenu(this);
    menu->setObjectName(QStringLiteral("mixingMenu"));
    menu->setAttribute(Qt::WA_DeleteOnClose);
    menu->addAction(tr("Show &data table"), this, [this] {
        auto* dialog = new ChartTableDialog(tr("Branch mix"), { bars_->sheet() }, this);
        connect(
            dialog, &ChartTableDialog::exportRequested, plot_, [this] { plot_->askAndExport(QStringLiteral("csv")); });
        dialog->show();
    });
    menu->popup(event->globalPos());
}

} // namespace pha::ui
