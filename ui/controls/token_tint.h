// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

#include <QColor>
#include <QWidget>

#include <vector>

namespace pha::ui {

/// What the colour behind a token says.
enum class TintMode { Probability, Surprise, Entropy, None };

/// `share` of a hue on the ground of the theme, or as much of it as leaves text readable on it (4.5:1).
QColor readableTint(const QColor& hue, double share);

/// Colours of tokens for the present theme: always readable under the theme's text.
class TokenTint {
public:
    TokenTint();
    void setMode(TintMode mode);
    TintMode mode() const { return mode_; }
    void rebuild(); ///< after the theme has changed
    QColor colour(const GeneratedToken& token) const; ///< invalid: none
    QColor at(double share) const; ///< of the legend, 0 to 1

    /// Ends of the scales, in nats.
    static constexpr double surpriseEnd = 8, entropyEnd = 6;

private:
    TintMode mode_ = TintMode::Probability;
    std::vector<QColor> ramp_;
};

/// The scale of a tint, with its ends.
class TintLegend : public QWidget {
    Q_OBJECT

public:
    explicit TintLegend(const TokenTint* tint, QWidget* parent);
    QSize sizeHint() const override;
    void refresh();

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QString low() const;
    QString high() const;
    const TokenTint* tint_;
};

} // namespace pha::ui
