// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/controls/token_tint.h"

#include "ui/controls/table_tools.h"
#include "ui/look/theme.h"

#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {
constexpr std::size_t steps = 64;
}

QColor readableTint(const QColor& hue, double share)
{
    const auto& c = Theme::instance().colours();
    auto colour = mixed(c.surface, hue, share);
    while (share > 0.02 && contrast(colour, c.text) < 4.6) colour = mixed(c.surface, hue, share *= 0.94);
    return colour;
}

TokenTint::TokenTint() { rebuild(); }

void TokenTint::setMode(TintMode mode)
{
    mode_ = mode;
    rebuild();
}

void TokenTint::rebuild()
{
    const auto& c = Theme::instance().colours();
    ramp_.clear();
    if (mode_ == TintMode::None) return;
    const double strength = c.dark ? 0.62 : 0.5;
    for (std::size_t i = 0; i < steps; ++i) {
        const double x = double(i) / double(steps - 1);
        if (mode_ == TintMode::Probability) { // red for what was unlikely, blue for what was certain
            const double away = std::abs(2 * x - 1);
            ramp_.push_back(readableTint(x < 0.5 ? c.error : c.accent, strength * std::pow(away, 1.15)));
        } else {
            ramp_.push_back(
                readableTint(mode_ == TintMode::Surprise ? c.attention : c.marker, strength * 1.15 * std::pow(x, 0.8)));
        }
    }
}

QColor TokenTint::at(double share) const
{
    if (ramp_.empty()) return {};
    return ramp_[std::size_t(std::lround(std::clamp(share, 0.0, 1.0) * double(steps - 1)))];
}

QColor TokenTint::colour(const GeneratedToken& token) const
{
    if (ramp_.empty() || token.alternatives.empty()) return {}; // the first token of all was predicted by nothing
    switch (mode_) {
    case TintMode::Probability:
        return at(token.probability);
    case TintMode::Surprise:
        return at(-std::log(std::max(token.probability, 1e-12)) / surpriseEnd);
    case TintMode::Entropy:
        return at(token.entropy / entropyEnd);
    case TintMode::None:
        break;
    }
    return {};
}

TintLegend::TintLegend(const TokenTint* tint, QWidget* parent)
    : QWidget(parent)
    , tint_(tint)
{
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Preferred);
    refresh();
}

QString TintLegend::low() const
{
    switch (tint_->mode()) {
    case TintMode::Probability:
        return tr("unlikely");
    case TintMode::Surprise:
        return tr("expected");
    case TintMode::Entropy:
        return tr("sure");
    case TintMode::None:
        break;
    }
    return {};
}

QString TintLegend::high() const
{
    switch (tint_->mode()) {
    case TintMode::Probability:
        return tr("certain");
    case TintMode::Surprise:
        return tr("%1 nats").arg(TokenTint::surpriseEnd);
    case TintMode::Entropy:
        return tr("%1 nats").arg(TokenTint::entropyEnd);
    case TintMode::None:
        break;
    }
    return {};
}

QSize TintLegend::sizeHint() const
{
    const auto f = fontMetrics();
    return { f.horizontalAdvance(low()) + f.horizontalAdvance(high()) + 110 + 14, f.height() + 4 };
}

void TintLegend::refresh()
{
    setVisible(tint_->mode() != TintMode::None);
    setAccessibleName(tr("Scale of the colours: from %1 to %2").arg(low(), high()));
    const auto probability = tr("Probability of the token in the network's own distribution, at temperature 1: 0 % on "
                                "the left, 50 % in the middle, 100 % on the right.");
    setToolTip(tint_->mode() == TintMode::Probability ? probability
            : tint_->mode() == TintMode::Surprise
            ? tr("-ln of the token's probability in the network's own distribution, at temperature 1.")
            : tr("Entropy of the network's own distribution, at temperature 1: how undecided it was."));
    updateGeometry();
    update();
}

void TintLegend::paintEvent(QPaintEvent*)
{
    if (tint_->mode() == TintMode::None) return;
    const auto& c = Theme::instance().colours();
    QPainter p(this);
    p.setRenderHint(QPainter::Antialiasing);
    const auto f = fontMetrics();
    const int left = f.horizontalAdvance(low()) + 7, right = width() - f.horizontalAdvance(high()) - 7;
    p.setPen(c.muted);
    p.drawText(QRect(0, 0, left, height()), Qt::AlignLeft | Qt::AlignVCenter, low());
    p.drawText(QRect(right, 0, width() - right, height()), Qt::AlignRight | Qt::AlignVCenter, high());
    const QRectF bar(left, height() / 2.0 - 6, right - left, 12);
    QLinearGradient gradient(bar.topLeft(), bar.topRight());
    for (int i = 0; i <= 16; ++i) gradient.setColorAt(i / 16.0, tint_->at(i / 16.0));
    p.setPen(QPen(c.border, 1));
    p.setBrush(gradient);
    p.drawRoundedRect(bar, 3, 3);
}

} // namespace pha::ui
