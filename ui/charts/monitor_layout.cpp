// SPDX-License-Identifier: GPL-3.0-or-later
// The charts of the monitor and where they are.
#include "ui/charts/monitor_panel_p.h"

#include <QVBoxLayout>

namespace pha::ui {

void MonitorPanel::Private::build()
{
    charts_.loss->setRightMargin(tr("unigram %1").arg(QStringLiteral("00.00")));
    charts_.throughput->setFromZero(true);
    charts_.memory->setFromZero(true);
    charts_.learningRate->setFromZero(true);
    charts_.gradient->setFromZero(true);
    charts_.load->setFromZero(true);
    charts_.inContext->setFromZero(true);
    auto* smallBox = new QWidget;
    small_ = new QGridLayout(smallBox);
    small_->setContentsMargins(0, 0, 0, 0);
    small_->setSpacing(6);
    for (auto* chart : charts_.all()) {
        link_->add(chart);
        chart->setRedrawQueue(queue_);
        connect(chart, &TimePlot::curveClicked, this, [this](int owner) {
            if (owner >= 0 && owner < shown_.size()) Q_EMIT q->runClicked(shown_[owner]);
        });
        if (chart != charts_.loss) chart->setMinimumSize(140, 92);
    }
    charts_.loss->setMinimumSize(240, 150);
    link_->add(mixing_->trajectories());
    mixing_->trajectories()->setRedrawQueue(queue_);
    recall_->setRedrawQueue(queue_);
    recall_->setMinimumSize(150, 120);
    recall_->hide();

    rows_ = new QSplitter(Qt::Vertical);
    rows_->setObjectName(QStringLiteral("chartRows"));
    rows_->addWidget(charts_.loss);
    rows_->addWidget(smallBox);
    rows_->setStretchFactor(0, 3);
    rows_->setStretchFactor(1, 1);
    side_ = new QSplitter(Qt::Vertical);
    side_->setObjectName(QStringLiteral("sideRows"));
    side_->addWidget(mixing_);
    side_->addWidget(recall_);
    side_->setStretchFactor(0, 3);
    side_->setStretchFactor(1, 1);
    columns_ = new QSplitter(Qt::Horizontal);
    columns_->setObjectName(QStringLiteral("monitorColumns"));
    columns_->addWidget(rows_);
    columns_->addWidget(side_);
    columns_->setStretchFactor(0, 5);
    columns_->setStretchFactor(1, 3);
    for (auto* splitter : { rows_, side_, columns_ }) {
        splitter->setChildrenCollapsible(false);
        splitter->setHandleWidth(6);
    }
    connect(columns_, &QSplitter::splitterMoved, this, &Private::arrange);

    auto* layout = new QVBoxLayout(q);
    layout->setContentsMargins(8, 6, 8, 8);
    layout->setSpacing(5);
    layout->addWidget(header_);
    layout->addWidget(toolbar_);
    layout->addWidget(readout_);
    layout->addWidget(columns_, 1);
    arrange();
}

void MonitorPanel::Private::arrange()
{
    // Wide: charts at the left, mixing at the right. Narrow: the loss chart keeps the whole width, mixing goes below.
    const bool wide = q->width() >= 960;
    const auto wanted = wide ? Qt::Horizontal : Qt::Vertical;
    if (columns_->orientation() != wanted) {
        columns_->setOrientation(wanted);
        mixing_->setOrientation(wide ? Qt::Vertical : Qt::Horizontal);
        columns_->setSizes(wide ? QList<int> { 620, 380 } : QList<int> { 660, 340 });
        rows_->setSizes(wide ? QList<int> { 600, 400 } : QList<int> { 720, 280 });
        side_->setSizes(wide ? QList<int> { 780, 220 } : QList<int> { 740, 260 });
    }
    // Recall stands below the mixing, or beside it where that leaves both their room.
    const bool below = wide || q->width() < 640;
    side_->setOrientation(below ? Qt::Vertical : Qt::Horizontal);
    // In one row, or in two of three.
    const int columns = (wide ? columns_->sizes().value(0) : q->width()) >= (wide ? 1000 : 900) ? 6 : 3;
    if (columns == smallColumns_) return;
    smallColumns_ = columns;
    int i = 0;
    for (auto* chart : { charts_.throughput, charts_.memory, charts_.load, charts_.learningRate, charts_.gradient,
             charts_.inContext }) {
        small_->addWidget(chart, i / columns, i % columns);
        ++i;
    }
    for (int column = 0; column < 6; ++column) small_->setColumnStretch(column, column < columns);
}

} // namespace pha::ui
