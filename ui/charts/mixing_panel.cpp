// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/mixing_panel.h"

#include "ui/charts/run_math.h"
#include "ui/charts/time_plot.h"
#include "ui/format.h"

#include <QComboBox>
#include <QContextMenuEvent>
#include <QLabel>
#include <QMenu>
#include <QSignalBlocker>
#include <QSplitter>

#include <algorithm>
#include <utility>

namespace pha::ui {

namespace {

/// Reports of the mix that are taken in at once: some milliseconds.
constexpr std::size_t reportsAtOnce = 512;

} // namespace

void MixingPanel::setOrientation(Qt::Orientation orientation) { splitter_->setOrientation(orientation); }

int MixingPanel::layer() const { return bars_->selected(); }

void MixingPanel::setEmptyText(const QString& text) { empty_->setText(text); }

void MixingPanel::setHistory(const RunHistory* history)
{
    history_ = history;
    restart();
    advance();
    if (behind()) Q_EMIT fellBehind();
}

void MixingPanel::restart()
{
    generation_ = history_ ? history_->generation : -1;
    row_ = 0;
    shownRow_ = -1;
    branches_.clear();
    layers_ = 0;
    chosen_ = -1;
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
            SeriesOptions edge { {}, SeriesStyle::Edge, colour, -1, false };
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

/// The rows after these are no longer there.
void MixingPanel::goBack(std::size_t rows)
{
    if (rows == 0) {
        const int chosen = layer();
        restart();
        chosen_ = chosen; // the same layer again once there is one
        return;
    }
    bool even = true;
    for (const auto& band : std::as_const(series_)) even &= plot_->count(band.line) == int(row_);
    if (even) {
        for (const auto& band : std::as_const(series_))
            for (const int series : { band.line, band.low, band.high }) plot_->truncate(series, int(rows));
        row_ = rows;
    } else {
        rebuildSeries(); // a branch that is not in each report: its points cannot be told by their number
    }
    if (shownRow_ >= int(rows)) {
        latest_ = true;
        showLatest();
    }
    plot_->requestRedraw();
}

void MixingPanel::drawAnew()
{
    rebuildSeries();
    advance();
    if (behind()) Q_EMIT fellBehind();
}

bool MixingPanel::behind() const { return history_ && row_ < history_->mixing.size(); }

void MixingPanel::advance()
{
    if (!history_) return;
    if (history_->generation != generation_) restart();
    const auto& rows = history_->mixing;
    if (row_ > rows.size()) goBack(rows.size());
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
        for (int i = 0; i < layers_; ++i) layerBox_->addItem(QStringLiteral("L%1").arg(i));
        layerBox_->setVisible(layers_ > 1);
        empty_->hide();
        bars_->show();
        setMixed(anyMixed(last.layers)); // draws anew and comes back here, where branches are known now
        if (chosen_ >= 0) chooseLayer(std::exchange(chosen_, -1));
    }
    if (row_ == rows.size()) return;
    const int chosen = layer();
    for (const auto end = std::min(rows.size(), row_ + reportsAtOnce); row_ < end; ++row_) {
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
    drawAnew();
}

void MixingPanel::setQuantity(MixQuantity quantity)
{
    quantity_ = quantity;
    bars_->setQuantity(quantity);
    drawAnew();
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
    drawAnew();
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
