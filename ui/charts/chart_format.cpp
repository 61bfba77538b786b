// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_format.h"

#include "ui/format.h"

#include <QCoreApplication>

#include <algorithm>
#include <array>
#include <cmath>

namespace pha::ui {

namespace {

QString translated(const char* text) { return QCoreApplication::translate("pha::ui::ChartFormat", text); }

/// Digits after the point that tell neighbouring ticks apart.
int decimalsOf(double step)
{
    if (!(step > 0)) return 2;
    const double power = std::floor(std::log10(step) + 1e-9);
    const bool half = std::abs(step / std::pow(10., power) - 2.5) < 1e-6; // 0.25 needs a digit more than 0.2
    return std::clamp(int(-power) + int(half), 0, 9);
}

/// "1.5k" with the digits that `step` asks for.
QString compactTick(double value, double step)
{
    static constexpr std::array<const char*, 5> units { "", "k", "M", "G", "T" };
    std::size_t unit = 0;
    while (std::abs(value) >= 999.5 && unit + 1 < units.size()) value /= 1000, step /= 1000, ++unit;
    return QString::number(value, 'f', decimalsOf(step)) + QLatin1String(units[unit]);
}

/// "256 MiB": all ticks of an axis have one unit, the one in which its step is a half or more.
QString bytesTick(double value, double step)
{
    if (value == 0) return QStringLiteral("0");
    static constexpr std::array<const char*, 5> units { "B", "KiB", "MiB", "GiB", "TiB" };
    std::size_t unit = 0;
    while (step >= 512 && unit + 1 < units.size()) value /= 1024, step /= 1024, ++unit;
    return QStringLiteral("%1 %2").arg(QString::number(value, 'f', step >= 1 ? 0 : 1), QLatin1String(units[unit]));
}

QString clockTick(double seconds)
{
    const auto whole = std::llround(seconds);
    const auto two = [](long long n) { return QStringLiteral("%1").arg(n, 2, 10, QLatin1Char('0')); };
    if (whole < 3600) return QStringLiteral("%1:%2").arg(whole / 60).arg(two(whole % 60));
    return QStringLiteral("%1:%2:%3").arg(whole / 3600).arg(two(whole / 60 % 60), two(whole % 60));
}

} // namespace

QString valueText(ValueKind kind, double value)
{
    if (!std::isfinite(value)) return translated("not finite");
    switch (kind) {
    case ValueKind::Loss:
        return formatFixed(value, 4);
    case ValueKind::Perplexity:
        return formatFixed(value, value < 10 ? 3 : value < 100 ? 2 : 1);
    case ValueKind::Rate:
        return formatCompact(value);
    case ValueKind::Bytes:
        return formatBytes(value);
    case ValueKind::Share:
        return QString::number(value * 100, 'f', 1) + QStringLiteral(" %");
    case ValueKind::Scientific:
        return formatNumber(value, 4);
    }
    return {};
}

QString tickText(ValueKind kind, double value, double step)
{
    switch (kind) {
    case ValueKind::Loss:
        return QString::number(value, 'f', decimalsOf(step));
    case ValueKind::Perplexity:
    case ValueKind::Rate:
        return compactTick(value, step);
    case ValueKind::Bytes:
        return bytesTick(value, step);
    case ValueKind::Share:
        return QString::number(value * 100, 'f', decimalsOf(step * 100)) + QStringLiteral(" %");
    case ValueKind::Scientific:
        if (value == 0) return QStringLiteral("0");
        if (std::abs(value) < 1e-2 || std::abs(value) >= 1e4) {
            auto text = QString::number(value, 'g', 2);
            return text.replace(QLatin1String("e-0"), QLatin1String("e-")).remove(QLatin1Char('+'));
        }
        return QString::number(value, 'f', decimalsOf(step));
    }
    return {};
}

QString axisText(XAxis axis, double value)
{
    switch (axis) {
    case XAxis::Step:
        return translated("step %1").arg(formatCount(std::llround(value)));
    case XAxis::Tokens:
        return translated("%1 tokens").arg(formatCompact(value));
    case XAxis::Seconds:
        return formatDuration(value);
    }
    return {};
}

QString axisTick(XAxis axis, double value, double step)
{
    switch (axis) {
    case XAxis::Step:
        if (value < 1e5) return formatCount(std::llround(value));
        return compactTick(value, step);
    case XAxis::Tokens:
        return compactTick(value, step);
    case XAxis::Seconds:
        return step < 1 ? QString::number(value, 'f', decimalsOf(step)) + QStringLiteral(" s") : clockTick(value);
    }
    return {};
}

QString axisName(XAxis axis)
{
    switch (axis) {
    case XAxis::Step:
        return translated("step");
    case XAxis::Tokens:
        return translated("tokens");
    case XAxis::Seconds:
        return translated("active time");
    }
    return {};
}

QColor blend(const QColor& top, const QColor& base, double share)
{
    const auto mix = [share](int a, int b) { return int(std::lround(a * share + b * (1 - share))); };
    return QColor(mix(top.red(), base.red()), mix(top.green(), base.green()), mix(top.blue(), base.blue()));
}

} // namespace pha::ui
