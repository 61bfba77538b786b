// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/value_ticker.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pha::ui {

namespace {

/// Every n-th power of two in the range, at most `count` or so.
QVector<double> powersOfTwo(const QCPRange& range, int count)
{
    const int first = int(std::ceil(std::log2(range.lower))), last = int(std::floor(std::log2(range.upper)));
    const int every = (last - first) / std::max(1, count) + 1;
    QVector<double> ticks;
    for (int power = first; power <= last; ++power)
        if (power % every == 0) ticks << std::exp2(power);
    return ticks;
}

} // namespace

void ValueTicker::setValues(ValueKind kind)
{
    counts_ = false;
    kind_ = kind;
}

void ValueTicker::setCounts(XAxis axis)
{
    counts_ = true;
    axis_ = axis;
}

double ValueTicker::getTickStep(const QCPRange& range)
{
    const double exact = range.size() / std::max(1, mTickCount);
    double step = cleanMantissa(exact);
    if (mTickCount <= 1 && step > exact) { // a single tick is useful only inside the range
        const double power = std::pow(10., std::floor(std::log10(exact)));
        step = power * (exact >= 5 * power ? 5 : exact >= 2 * power ? 2 : 1);
    }
    if (counts_ && axis_ == XAxis::Seconds && exact > 0.5) {
        static constexpr std::array steps { 1., 2., 5., 10., 15., 30., 60., 120., 300., 600., 900., 1800., 3600., 7200.,
            10800., 21600., 43200., 86400. };
        const auto next = std::find_if(steps.begin(), steps.end(), [exact](double s) { return s >= exact; });
        step = next != steps.end() ? *next : std::ceil(exact / 86400) * 86400;
    } else if (counts_ && axis_ != XAxis::Seconds) {
        step = exact <= 1 ? 1 : exact <= 2 ? 2 : exact <= 5 ? 5 : std::max(10., step); // there is no half step
    } else if (bytes()) {
        const double power = mTickCount <= 1 ? std::floor(std::log2(exact)) : std::round(std::log2(exact));
        step = std::exp2(std::max(0., power)); // round in KiB, MiB and GiB
    }
    step_ = step;
    return step;
}

QVector<double> ValueTicker::createTickVector(double tickStep, const QCPRange& range)
{
    if (!logarithmic_ || range.lower <= 0 || range.upper / range.lower < 3)
        return QCPAxisTicker::createTickVector(tickStep, range);
    step_ = 0;
    if (bytes()) return powersOfTwo(range, mTickCount);
    const double decades = std::log10(range.upper / range.lower);
    static const QVector<double> one { 1 }, three { 1, 2, 5 }, many { 1, 1.5, 2, 3, 4, 5, 6, 8 };
    const auto& mantissas = decades > 3 ? one : decades > 0.9 ? three : many;
    const int every = std::max(1, int(std::ceil(decades / std::max(1, mTickCount)))); // powers of ten between two ticks
    QVector<double> ticks;
    const int first = int(std::floor(std::log10(range.lower))), last = int(std::ceil(std::log10(range.upper)));
    for (int power = first; power <= last; ++power) {
        if (mantissas.size() == 1 && (power % every + every) % every != 0) continue;
        for (const double mantissa : mantissas) {
            const double tick = mantissa * std::pow(10., power);
            if (tick >= range.lower && tick <= range.upper) ticks << tick;
        }
    }
    return ticks;
}

QString ValueTicker::getTickLabel(double tick, const QLocale&, QChar, int)
{
    double step = step_;
    if (step <= 0 && bytes()) {
        step = tick;
    } else if (step <= 0) { // a tick of a logarithmic axis has the digits of its own size: 0.5, 1.5, 20
        const double power = std::pow(10., std::floor(std::log10(std::max(tick, 1e-300)) + 1e-9));
        step = std::abs(tick / power - 1.5) < 1e-6 ? power / 10 : power;
    }
    if (std::abs(tick) < step * 1e-9) tick = 0; // sums of steps miss zero by a rounding error
    return counts_ ? axisTick(axis_, tick, step) : tickText(kind_, tick, step);
}

} // namespace pha::ui
