// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/look_legend.h"

#include "ui/look/theme.h"

#include <QPainter>

#include <algorithm>

namespace pha::ui {

namespace {
constexpr int scaleSteps = 32, scaleWidth = 90, boxSize = 10, apart = 12;
}

LookLegend::LookLegend(QWidget* parent)
    : QWidget(parent)
{
    QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
}

void LookLegend::setScale(const QString& low, const QString& high, const std::function<QColor(double)>& at)
{
    entries_.clear();
    low_ = low;
    high_ = high;
    scale_.clear();
    for (int i = 0; i <= scaleSteps; ++i) scale_ << at(double(i) / scaleSteps);
    setAccessibleName(tr("Scale of the colours: from %1 to %2").arg(low, high));
    updateGeometry();
    update();
}

void LookLegend::setEntries(const QVector<Entry>& entries)
{
    scale_.clear();
    entries_ = entries;
    QStringList names;
    for (const auto& entry : entries) names << entry.text;
    setAccessibleName(tr("Colours of the parts: %1").arg(names.join(QStringLiteral(", "))));
    updateGeometry();
    update();
}

void LookLegend::clear() { setEntries({}); }

QSize LookLegend::sizeHint() const
{
    const auto f = fontMetrics();
    int width = scale_.isEmpty() ? 0 : f.horizontalAdvance(low_) + f.horizontalAdvance(high_) + scaleWidth + 14;
    for (const auto& entry : entries_) width += entryWidth(entry);
    return { width, f.height() + 4 };
}

int LookLegend::entryWidth(const Entry& entry) const
{
    return boxSize + 5 + fontMetrics().horizontalAdvance(entry.text) + apart;
}

QVector<QPoint> LookLegend::places(int width) const
{
    QVector<QPoint> list;
    QPoint at;
    for (const auto& entry : entries_) {
        if (at.x() > 0 && at.x() + entryWidth(entry) - apart > width) at = QPoint(0, at.y() + sizeHint().height());
        list << at;
        at.rx() += entryWidth(entry);
    }
    return list;
}

int LookLegend::heightForWidth(int width) const
{
    const int line = sizeHint().height();
    return entries_.isEmpty() ? line : places(width).back().y() + line;
}

QSize LookLegend::minimumSizeHint() const { return { 60, sizeHint().height() }; }

void LookLegend::paintEvent(QPaintEvent*)
{
    const auto& c = Theme::instance().colours();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const auto f = fontMetrics();
    painter.setPen(c.muted);
    if (!scale_.isEmpty()) {
        const int left = f.horizontalAdvance(low_) + 7;
        const int length = std::min(scaleWidth, width() - left - f.horizontalAdvance(high_) - 7);
        painter.drawText(rect(), Qt::AlignLeft | Qt::AlignVCenter, low_);
        painter.drawText(rect().adjusted(left + length + 7, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, high_);
        const QRectF bar(left, height() / 2.0 - 5, length, 10);
        QLinearGradient gradient(bar.topLeft(), bar.topRight());
        for (int i = 0; i <= scaleSteps; ++i) gradient.setColorAt(double(i) / scaleSteps, scale_[i]);
        painter.setPen(QPen(c.border, 1));
        painter.setBrush(gradient);
        painter.drawRoundedRect(bar, 3, 3);
    }
    const auto where = places(width());
    const int line = sizeHint().height();
    for (int i = 0; i < entries_.size(); ++i) {
        painter.setPen(Qt::NoPen);
        painter.setBrush(entries_[i].colour);
        painter.drawRoundedRect(QRectF(where[i].x(), where[i].y() + (line - boxSize) / 2.0, boxSize, boxSize), 2, 2);
        painter.setPen(c.muted);
        painter.drawText(QRect(where[i] + QPoint(boxSize + 5, 0), QSize(width(), line)),
            Qt::AlignLeft | Qt::AlignVCenter, entries_[i].text);
    }
}

} // namespace pha::ui
