// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of the mixing panel and where they are.
#include "ui/charts/mixing_panel.h"
#include "ui/charts/time_plot.h"

#include <QButtonGroup>
#include <QComboBox>
#include <QLabel>
#include <QSplitter>
#include <QToolButton>
#include <QVBoxLayout>

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
    plot_->setMinimumSize(172, 120); // its title beside the choice of a layer

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

} // namespace pha::ui
