// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/monitor_toolbar.h"

#include <QButtonGroup>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSlider>
#include <QToolButton>

#include <algorithm>
#include <cmath>

namespace pha::ui {

QToolButton* MonitorToolbar::button(const QString& name, const QString& text, const QString& tip, bool checkable)
{
    auto* b = new QToolButton(this);
    b->setObjectName(name);
    b->setText(text);
    b->setToolTip(tip);
    b->setAccessibleName(text);
    b->setAccessibleDescription(tip);
    b->setCheckable(checkable);
    b->setFocusPolicy(Qt::StrongFocus);
    return b;
}

MonitorToolbar::MonitorToolbar(QWidget* parent)
    : QWidget(parent)
{
    setObjectName(QStringLiteral("monitorToolbar"));
    loss_ = button(QStringLiteral("showLoss"), tr("Loss"), tr("Cross entropy in nats per token"), true);
    perplexity_ = button(QStringLiteral("showPerplexity"), tr("Perplexity"),
        tr("Perplexity per token: e to the power of the loss"), true);
    auto* quantity = new QButtonGroup(this);
    quantity->addButton(loss_);
    quantity->addButton(perplexity_);
    loss_->setChecked(true);

    axis_ = new QComboBox;
    axis_->setObjectName(QStringLiteral("xAxis"));
    axis_->setAccessibleName(tr("X axis"));
    axis_->setToolTip(tr("What the charts are drawn over (X). Active time leaves out pauses and evaluations."));
    for (const auto axis : { XAxis::Step, XAxis::Tokens, XAxis::Seconds }) axis_->addItem(axisName(axis));
    axisLabel_ = new QLabel(tr("&over"));
    axisLabel_->setBuddy(axis_);
    setRole(axisLabel_, "muted");

    log_ = button(QStringLiteral("logAxis"), tr("Log"), tr("Logarithmic axis of the loss chart (L)"), true);
    raw_ = button(QStringLiteral("rawCurve"), tr("Raw"), tr("Draw the unsmoothed curve behind the smoothed one"), true);
    raw_->setChecked(true);

    smoothing_ = new QSlider(Qt::Horizontal);
    smoothing_->setObjectName(QStringLiteral("smoothing"));
    smoothing_->setRange(0, 99);
    smoothing_->setPageStep(10);
    smoothing_->setFixedWidth(96);
    smoothing_->setAccessibleName(tr("Smoothing"));
    smoothing_->setToolTip(
        tr("Smoothing of the noisy curves, 0 to 0.99 ([ and ]): share of the mean that is kept from one step to "
           "the next; on runs of more than a thousand steps, from one thousandth of the run to the next"));
    smoothingValue_ = new QLabel;
    smoothingValue_->setObjectName(QStringLiteral("smoothingValue"));
    fitToText(smoothingValue_,
        [this] { smoothingValue_->setFixedWidth(fontMetrics().horizontalAdvance(QStringLiteral("0.00")) + 4); });
    smoothingLabel_ = new QLabel(tr("S&mooth"));
    smoothingLabel_->setBuddy(smoothing_);
    setRole(smoothingLabel_, "muted");

    fit_ = button(
        QStringLiteral("fitAndFollow"), tr("Fit"), tr("All charts: show everything and follow the run (F)"), false);
    export_ = button(QStringLiteral("exportChart"), tr("Export…"),
        tr("Write the focused chart, else the loss chart, as PNG, SVG, PDF or CSV"), false);

    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(2, 0, 2, 0);
    layout->setSpacing(4);
    layout->addWidget(loss_);
    layout->addWidget(perplexity_);
    layout->addSpacing(8);
    layout->addWidget(axisLabel_);
    layout->addWidget(axis_);
    layout->addSpacing(8);
    layout->addWidget(log_);
    layout->addWidget(raw_);
    layout->addSpacing(8);
    layout->addWidget(smoothingLabel_);
    layout->addWidget(smoothing_);
    layout->addWidget(smoothingValue_);
    layout->addStretch(1);
    layout->addWidget(fit_);
    layout->addWidget(export_);

    connect(perplexity_, &QToolButton::toggled, this, &MonitorToolbar::quantityChanged);
    connect(axis_, &QComboBox::currentIndexChanged, this, &MonitorToolbar::axisChanged);
    connect(log_, &QToolButton::toggled, this, &MonitorToolbar::logarithmicToggled);
    connect(raw_, &QToolButton::toggled, this, &MonitorToolbar::rawToggled);
    connect(smoothing_, &QSlider::valueChanged, this, [this](int value) {
        smoothingValue_->setText(QString::number(value / 100., 'f', 2));
        Q_EMIT smoothingChanged();
    });
    connect(fit_, &QToolButton::clicked, this, &MonitorToolbar::followRequested);
    connect(export_, &QToolButton::clicked, this, &MonitorToolbar::exportRequested);
    smoothing_->setValue(60);
    setMinimumWidth(420);
}

void MonitorToolbar::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    // What a tool tip or a menu also says goes first when the panel is narrow.
    const std::initializer_list<QWidget*> optional { axisLabel_, smoothingLabel_, smoothingValue_, export_, raw_ };
    for (auto* widget : optional) widget->setVisible(true);
    for (auto* widget : optional) {
        if (layout()->minimumSize().width() <= width()) break;
        widget->setVisible(false);
    }
}

CurveSettings MonitorToolbar::settings() const
{
    return { XAxis(std::max(0, axis_->currentIndex())), perplexity_->isChecked(), raw_->isChecked(),
        smoothing_->value() / 100. };
}

bool MonitorToolbar::logarithmic() const { return log_->isChecked(); }

void MonitorToolbar::setLogarithmic(bool on)
{
    const QSignalBlocker quiet(log_);
    log_->setChecked(on);
}

void MonitorToolbar::setAxis(XAxis axis) { axis_->setCurrentIndex(int(axis)); }

void MonitorToolbar::setSmoothing(double smoothing) { smoothing_->setValue(int(std::lround(smoothing * 100))); }

void MonitorToolbar::setFollowing(bool following) { fit_->setText(following ? tr("Fit") : tr("Fit and follow")); }

} // namespace pha::ui
