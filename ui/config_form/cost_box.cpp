// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/cost_box.h"

#include "ui/format.h"
#include "ui/look/theme.h"

#include <QGridLayout>
#include <QLabel>
#include <QProgressBar>

#include <algorithm>

namespace pha::ui {

CostBox::CostBox(QWidget* parent)
    : QWidget(parent)
    , parameters_(new QLabel)
    , memory_(new QLabel)
    , time_(new QLabel)
    , memoryBar_(new QProgressBar)
{
    setObjectName(QStringLiteral("costBox"));
    auto* grid = new QGridLayout(this);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setHorizontalSpacing(12);
    grid->setVerticalSpacing(4);
    const auto line = [&](int row, const QString& name, QLabel* value, const QString& id, const QString& tip) {
        auto* label = new QLabel(name);
        setRole(label, "muted");
        label->setToolTip(plainToolTip(tip));
        value->setObjectName(id);
        value->setTextFormat(Qt::PlainText);
        value->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
        value->setToolTip(plainToolTip(tip));
        grid->addWidget(label, row, 0);
        grid->addWidget(value, row, 1);
        return label;
    };
    line(0, tr("Parameters"), parameters_, QStringLiteral("parameterCount"),
        tr("Numbers of the network, counted from its shape. At most: the text may fill the vocabulary with fewer "
           "pieces"));
    line(1, tr("Memory"), memory_, QStringLiteral("memoryEstimate"),
        tr("Weights, gradients, optimiser moments and activations, beside what is free on the device now"));
    timeName_ = line(3, tr("Time"), time_, QStringLiteral("timeEstimate"), {});
    memoryBar_->setObjectName(QStringLiteral("memoryBar"));
    memoryBar_->setAccessibleName(tr("Share of the free memory"));
    memoryBar_->setTextVisible(false);
    memoryBar_->setRange(0, 1000);
    grid->addWidget(memoryBar_, 2, 0, 1, 2);
    grid->setColumnStretch(1, 1);
}

void CostBox::setCosts(const std::optional<CostEstimate>& costs)
{
    if (!costs) {
        for (auto* label : { parameters_, memory_, time_ }) label->setText(QStringLiteral("\u2013"));
        memoryBar_->setValue(0);
        fits_ = true;
        return;
    }
    const auto& c = *costs;
    setTime(c);
    const auto count = formatCount(c.parameters);
    parameters_->setText(c.exact ? count : tr("at most %1").arg(count));
    const auto needed = formatBytes(c.memoryBytes);
    fits_ = c.availableBytes <= 0 || c.memoryBytes <= c.availableBytes;
    memory_->setText(c.availableBytes > 0 ? tr("%1 of %2 free").arg(needed, formatBytes(c.availableBytes)) : needed);
    const double share = c.availableBytes > 0 ? c.memoryBytes / c.availableBytes : 0;
    memoryBar_->setValue(int(std::clamp(share, 0.0, 1.0) * 1000));
    setRole(memoryBar_, share > 1 ? "error" : share > 0.8 ? "warning" : "plain");
    setRole(memory_, share > 1 ? "error" : share > 0.8 ? "warning" : "plain");
}

void CostBox::setTime(const CostEstimate& c)
{
    time_->setText(c.seconds < 0 ? tr("known after the first run") : tr("about %1").arg(formatDuration(c.seconds)));
    setRole(time_, c.seconds < 0 ? "muted" : "plain");
    QString tip = tr("The runs of the list tell how fast training is here; none has enough updates yet.");
    if (c.basis) {
        tip = c.basis->sameShape ? tr("At the speed of %1.") : tr("At the speed of %1, which has another shape.");
        tip = tip.arg(singleLine(fromUtf8(c.basis->run)));
        if (!c.basis->samePlace) tip += QLatin1Char(' ') + tr("Another machine trained it.");
        tip += QLatin1Char(' ') + tr("Evaluations, samples and checkpoints come on top.");
    }
    for (auto* label : { timeName_, time_ }) label->setToolTip(plainToolTip(tip));
}

} // namespace pha::ui
