// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/mixer/mix_faders.h"

#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/mixer/mix_cell.h"

#include <QDoubleSpinBox>
#include <QGridLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSlider>
#include <QVBoxLayout>

#include <cmath>

namespace pha::ui {

namespace {
constexpr double sliderEnd = 2; // weights of the paper's mode add up to one; unnormalised modes and curiosity go beyond
constexpr int sliderSteps = 100; // per unit of weight
} // namespace

MixFaders::MixFaders(QWidget* parent)
    : QWidget(parent)
    , place_(new QLabel(this))
    , heading_(new QLabel(tr("learned"), this))
    , grid_(new QGridLayout)
{
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    setRole(place_, "muted");
    setRole(heading_, "small");
    auto* head = new QHBoxLayout;
    head->addWidget(place_, 1);
    head->addWidget(heading_);
    layout->addLayout(head);
    grid_->setHorizontalSpacing(8);
    grid_->setVerticalSpacing(3);
    layout->addLayout(grid_);
}

void MixFaders::setBranches(const QStringList& branches)
{
    if (branches == branches_) return;
    branches_ = branches;
    for (const auto& row : rows_) {
        delete row.name;
        delete row.slider;
        delete row.number;
        delete row.learned;
    }
    rows_.clear();
    for (int i = 0; i < branches.size(); ++i) {
        const auto label = branchLabel(branches[i]);
        Row row { new QLabel(label, this), new QSlider(Qt::Horizontal, this), new QDoubleSpinBox(this),
            new QLabel(this) };
        row.slider->setObjectName(QStringLiteral("mixSlider_") + branches[i]);
        row.slider->setRange(0, int(sliderEnd * sliderSteps));
        row.slider->setPageStep(sliderSteps / 10);
        row.slider->setToolTip(
            tr("Mixing weight of %1 in the selected layers, used as it is; the others stay.").arg(label));
        row.slider->setAccessibleName(tr("Weight of %1, slider").arg(label));
        row.number->setObjectName(QStringLiteral("mixWeight_") + branches[i]);
        row.number->setRange(0, 100);
        row.number->setDecimals(2);
        row.number->setSingleStep(0.05);
        row.number->setButtonSymbols(QAbstractSpinBox::NoButtons);
        row.number->setKeyboardTracking(false);
        fitToText(row.number, [number = row.number] {
            number->setFixedWidth(number->fontMetrics().horizontalAdvance(QStringLiteral("000.00")) + 22);
        });
        row.number->setAlignment(Qt::AlignRight);
        row.number->setLocale(QLocale::c());
        row.number->setToolTip(row.slider->toolTip());
        row.number->setAccessibleName(tr("Weight of %1").arg(label));
        row.name->setBuddy(row.number);
        setRole(row.learned, "small");
        row.learned->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
        row.learned->setMinimumWidth(row.learned->fontMetrics().horizontalAdvance(QStringLiteral("0.00-0.00")));
        grid_->addWidget(row.name, i, 0);
        grid_->addWidget(row.slider, i, 1);
        grid_->addWidget(row.number, i, 2);
        grid_->addWidget(row.learned, i, 3);
        connect(row.slider, &QSlider::valueChanged, this,
            [this, i](int value) { Q_EMIT moved(i, double(value) / sliderSteps); });
        connect(row.number, &QDoubleSpinBox::valueChanged, this, [this, i](double value) { Q_EMIT moved(i, value); });
        rows_.push_back(row);
    }
    grid_->setColumnStretch(1, 1);
}

void MixFaders::setValues(const QString& place, const std::vector<Value>& values)
{
    place_->setText(tr("Weights in %1").arg(place));
    for (std::size_t i = 0; i < rows_.size() && i < values.size(); ++i) {
        const auto& [low, high, mean, shown, changed, present] = values[i];
        const auto& row = rows_[i];
        const QSignalBlocker quietSlider(row.slider), quietNumber(row.number);
        const double value = shown ? *shown : std::max(0.0, mean);
        row.slider->setEnabled(present);
        row.number->setEnabled(present);
        row.slider->setValue(int(std::lround(std::min(value, sliderEnd) * sliderSteps)));
        // A number that is being typed is not overwritten by itself.
        if (std::abs(row.number->value() - value) > 0.004) row.number->setValue(value);
        auto f = row.number->font();
        f.setBold(changed);
        row.number->setFont(f);
        const auto a = formatFixed(low, 2), b = formatFixed(high, 2);
        row.learned->setToolTip(tr("The weight that the network has learned"));
        row.learned->setText(low < 0 ? QStringLiteral("\u2013") : a == b ? a : a + QChar(0x2013) + b);
    }
}

} // namespace pha::ui
