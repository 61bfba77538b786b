// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/playground/duel_tally.h"

#include <QCryptographicHash>
#include <QSettings>

#include <algorithm>
#include <cmath>
#include <utility>

namespace pha::ui {

namespace {

/// Where a pair's votes are; keys hold slashes, which settings take for groups.
QString groupOf(const Duellist& first, const Duellist& second)
{
    const auto pair = std::minmax(first.key, second.key);
    const auto bytes = (pair.first + QLatin1Char('\n') + pair.second).toUtf8();
    return QStringLiteral("duels/")
        + QString::fromLatin1(QCryptographicHash::hash(bytes, QCryptographicHash::Sha1).toHex());
}

bool turned(const Duellist& first, const Duellist& second) { return second.key < first.key; }

} // namespace

Interval winShare(int wins, int decided)
{
    if (decided <= 0) return {};
    constexpr double z = 1.959963984540054;
    const double n = decided, share = wins / n, zz = z * z / n;
    const double middle = (share + zz / 2) / (1 + zz);
    const double half = z * std::sqrt(share * (1 - share) / n + zz / (4 * n)) / (1 + zz);
    return { std::max(0.0, middle - half), std::min(1.0, middle + half) };
}

DuelTally DuelTallies::of(const Duellist& first, const Duellist& second)
{
    QSettings settings;
    settings.beginGroup(groupOf(first, second));
    const auto count = [&](const char* name) { return std::max(0, settings.value(QLatin1String(name)).toInt()); };
    DuelTally tally { count("first"), count("second"), count("ties") };
    if (turned(first, second)) std::swap(tally.first, tally.second);
    return tally;
}

void DuelTallies::set(const Duellist& first, const Duellist& second, const DuelTally& tally)
{
    QSettings settings;
    settings.beginGroup(groupOf(first, second));
    const bool other = turned(first, second);
    settings.setValue(QStringLiteral("first"), other ? tally.second : tally.first);
    settings.setValue(QStringLiteral("second"), other ? tally.first : tally.second);
    settings.setValue(QStringLiteral("ties"), tally.ties);
}

void DuelTallies::reset(const Duellist& first, const Duellist& second) { QSettings().remove(groupOf(first, second)); }

} // namespace pha::ui
