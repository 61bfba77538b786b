// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/alerts/gradient_table.h"

#include "ui/controls/table_tools.h"
#include "ui/format.h"
#include "ui/inspect/look_figures.h"

#include <QHeaderView>

#include <algorithm>
#include <cmath>
#include <limits>

namespace pha::ui {

namespace {

/// What a bar shows: how many times the usual norm, or the norm where that is not known.
double lengthOf(const PartGradient& gradient)
{
    return gradient.usual && *gradient.usual > 0 ? gradient.norm / *gradient.usual : gradient.norm;
}

double rankOf(const PartGradient& gradient)
{
    return std::isfinite(gradient.norm) ? lengthOf(gradient) : std::numeric_limits<double>::infinity();
}

} // namespace

GradientTable::GradientTable(QWidget* parent)
    : QTableWidget(0, 3, parent)
{
    styleTable(this);
    makeCopyable(this);
    setItemDelegateForColumn(1, new BarDelegate(this));
    setObjectName(QStringLiteral("alertGradients"));
    setAccessibleName(tr("Gradient of each part"));
    setToolTip(plainToolTip(tr("Norm of the gradient of each part of each layer in this update, before clipping, and "
                               "how many times the last one it is that was noted before. What jumped most comes "
                               "first.")));
    setHorizontalHeaderLabels({ tr("Part"), tr("Times usual"), tr("Norm") });
    horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    horizontalHeader()->setSectionResizeMode(1, QHeaderView::Stretch);
}

void GradientTable::put(int row, const PartGradient& gradient, double share, std::int64_t usualStep)
{
    const bool known = gradient.usual && *gradient.usual > 0, finite = std::isfinite(gradient.norm);
    const auto part = fromUtf8(gradient.part), norm = finite ? formatNumber(gradient.norm, 3) : tr("not finite");
    auto* name = new QTableWidgetItem(
        gradient.layer < 0 ? partTitle(part) : QStringLiteral("L%1 %2").arg(gradient.layer).arg(partTitle(part)));
    auto* times = new QTableWidgetItem(
        known && finite ? QStringLiteral("\u00d7 %1").arg(formatNumber(lengthOf(gradient), 3)) : QString());
    times->setData(BarDelegate::Share, finite ? share : 1.0);
    times->setData(BarDelegate::Branch, part);
    times->setToolTip(
        plainToolTip(known ? tr("%1: norm %2, %3 at step %4")
                                 .arg(name->text(), norm, formatNumber(*gradient.usual, 3), formatCount(usualStep))
                           : tr("%1: norm %2").arg(name->text(), norm)));
    setItem(row, 0, name);
    setItem(row, 1, times);
    setItem(row, 2, new QTableWidgetItem(norm));
}

void GradientTable::setAlert(const AlertEvent& alert)
{
    auto gradients = alert.gradients;
    std::stable_sort(
        gradients.begin(), gradients.end(), [](const auto& a, const auto& b) { return rankOf(a) > rankOf(b); });
    double longest = 1e-12;
    for (const auto& gradient : gradients)
        if (std::isfinite(lengthOf(gradient))) longest = std::max(longest, lengthOf(gradient));
    setRowCount(int(gradients.size()));
    for (int row = 0; row < rowCount(); ++row) {
        const auto& gradient = gradients[std::size_t(row)];
        put(row, gradient, lengthOf(gradient) / longest, alert.usualStep.value_or(0));
    }
    scrollToTop();
}

} // namespace pha::ui
