// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/mixer/mix_cell.h"

#include "engine/config/parts.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QEvent>
#include <QPainter>
#include <QPainterPath>

#include <algorithm>

namespace pha::ui {

QString branchLabel(const QString& branch)
{
    const auto* part = findPart(branch.toStdString());
    return part ? fromUtf8(part->title) : branch;
}

MixCell::MixCell(QString branch, QString place, QWidget* parent)
    : QAbstractButton(parent)
    , branch_(std::move(branch))
    , place_(std::move(place))
{
    setCheckable(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setCursor(Qt::PointingHandCursor);
    connect(&Theme::instance(), &Theme::changed, this, [this] { update(); });
    connect(this, &QAbstractButton::toggled, this, [this] { describe(); });
    describe();
}

void MixCell::setWeights(double low, double high, double mean, std::optional<double> changed)
{
    low_ = low;
    high_ = high;
    mean_ = mean;
    changed_ = changed;
    describe();
    update();
}

void MixCell::setPartlyMuted(bool partly)
{
    partly_ = partly;
    describe();
    update();
}

void MixCell::setAbsent(bool absent)
{
    absent_ = absent;
    setEnabled(!absent);
    describe();
    update();
}

QSize MixCell::sizeHint() const
{
    return { fontMetrics().horizontalAdvance(QStringLiteral("0.00-0.00")) + 16, fontMetrics().height() + 9 };
}

QString MixCell::text() const
{
    if (absent_) return QString(QChar(0x2013));
    if (changed_) return formatFixed(*changed_, 2);
    if (low_ < 0) return QStringLiteral("on");
    const auto low = formatFixed(low_, 2), high = formatFixed(high_, 2);
    return low == high ? low : low + QChar(0x2013) + high;
}

void MixCell::describe()
{
    const auto name = branchLabel(branch_);
    if (absent_) {
        setAccessibleName(tr("%1, %2: not there").arg(name, place_));
        setAccessibleDescription({});
        setToolTip(tr("There is no %1 in %2.").arg(name, place_));
        return;
    }
    QString weight;
    if (changed_)
        weight = tr("Its weight is set to %1.").arg(formatFixed(*changed_, 2));
    else if (low_ >= 0)
        weight = tr("Its weight is %1.").arg(text());
    setAccessibleName(tr("Mute %1, %2").arg(name, place_));
    setAccessibleDescription(weight);
    QString tip = isChecked() ? tr("%1, %2: muted. Click or press Space to switch it on.")
                              : tr("%1, %2. Click or press Space to mute it.");
    tip = tip.arg(name, place_);
    if (partly_) tip += QLatin1Char(' ') + tr("Muted in some of the layers.");
    setToolTip(weight.isEmpty() ? tip : tip + QLatin1Char(' ') + weight);
}

void MixCell::enterEvent(QEnterEvent* event)
{
    QAbstractButton::enterEvent(event);
    update();
}

void MixCell::leaveEvent(QEvent* event)
{
    QAbstractButton::leaveEvent(event);
    update();
}

void MixCell::paintEvent(QPaintEvent*)
{
    const auto& c = Theme::instance().colours();
    const auto colour = c.branch(branch_);
    QPainter p(this);
    p.setRenderHint(QPainter::Antialiasing);
    const QRectF box = QRectF(rect()).adjusted(1, 1, -1, -1);
    QPainterPath shape;
    shape.addRoundedRect(box, 4, 4);
    p.fillPath(shape, underMouse() && isEnabled() ? c.raised : c.surface);

    const bool muted = isChecked();
    const double weight = absent_ ? 0 : changed_ ? *changed_ : (low_ < 0 ? 1 : mean_);
    p.save();
    p.setClipPath(shape);
    if (muted) {
        auto line = c.muted;
        line.setAlphaF(0.28F);
        p.fillRect(box, QBrush(line, Qt::BDiagPattern));
    } else {
        auto fill = colour;
        fill.setAlphaF(c.dark ? 0.36F : 0.24F);
        const double width = box.width() * std::clamp(weight, 0.0, 1.0);
        p.fillRect(QRectF(box.left(), box.top(), width, box.height()), fill);
        p.fillRect(QRectF(box.left(), box.bottom() - 2, width, 2), colour);
    }
    p.restore();

    const bool strong = changed_.has_value() || muted || partly_;
    auto border = strong ? (muted || partly_ ? c.warning : c.accent) : c.border;
    if (hasFocus()) border = c.accent;
    p.setPen(QPen(border, hasFocus() ? 2 : 1, partly_ && !muted ? Qt::DashLine : Qt::SolidLine));
    p.drawPath(shape);

    auto f = font();
    f.setBold(changed_.has_value() && !muted);
    const auto words = muted ? tr("muted") : text();
    // A range of weights is the longest; in a narrow panel it is written smaller rather than over the border.
    const double room = box.width() - 6, needed = QFontMetricsF(f).horizontalAdvance(words);
    if (needed > room && room > 0) f.setPointSizeF(std::max(f.pointSizeF() * room / needed, f.pointSizeF() * 0.7));
    p.setFont(f);
    p.setPen(!isEnabled() || muted ? c.muted : c.text);
    p.drawText(box, Qt::AlignCenter, words);
}

} // namespace pha::ui
