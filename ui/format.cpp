// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/format.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <QFile>
#include <QRegularExpression>

#include <array>
#include <cmath>

namespace pha::ui {

namespace {

const QString nothing = QStringLiteral(u"\u2013");

/// Three significant digits, no exponent: 1.31, 18.2, 950.
QString threeDigits(double value)
{
    const double size = std::abs(value);
    return QString::number(value, 'f', size < 9.995 ? 2 : size < 99.95 ? 1 : 0);
}

} // namespace

QString formatCount(std::int64_t value) { return fromUtf8(withThousands(value)); }

QString formatCompact(double value)
{
    if (!std::isfinite(value)) return nothing;
    if (std::abs(value) >= 999.5e12) return QString::number(value, 'g', 3); // of a run that diverges
    static constexpr std::array<const char*, 5> units { "", "k", "M", "G", "T" };
    std::size_t unit = 0;
    while (std::abs(value) >= 999.5 && unit + 1 < units.size()) value /= 1000, ++unit;
    return (unit == 0 ? QString::number(value, 'f', 0) : threeDigits(value)) + QLatin1String(units[unit]);
}

QString formatNumber(double value, int significant)
{
    return std::isfinite(value) ? QString::number(value, 'g', significant) : nothing;
}

QString formatFixed(double value, int decimals)
{
    if (!std::isfinite(value)) return nothing;
    if (std::abs(value) >= 1e6) return formatCompact(value);
    if (std::abs(value) < 0.5 * std::pow(10.0, -decimals)) value = 0; // no -0.00
    if (std::abs(value) < 1000) return QString::number(value, 'f', decimals);
    return formatCount(std::llround(value));
}

QString formatBytes(double bytes)
{
    return std::isfinite(bytes) && bytes >= 0 ? fromUtf8(pha::formatBytes(bytes)) : nothing;
}

QString formatDuration(double seconds)
{
    return std::isfinite(seconds) && seconds >= 0 ? fromUtf8(pha::formatDuration(seconds)) : nothing;
}

QString formatPercent(double share)
{
    return std::isfinite(share) ? QString::number(share * 100, 'f', 0) + QStringLiteral(" %") : nothing;
}

QString counted(std::int64_t count, const QString& one, const QString& many) { return count == 1 ? one : many; }

QString fromUtf8(const std::string& text) { return QString::fromUtf8(text.data(), qsizetype(text.size())); }

QString fromPath(const std::filesystem::path& path)
{
    return QFile::decodeName(QByteArray::fromStdString(path.native()));
}

std::filesystem::path toPath(const QString& text) { return QFile::encodeName(text).toStdString(); }

QString plainToolTip(const QString& text)
{
    if (text.isEmpty()) return {};
    return QStringLiteral("<qt>%1</qt>").arg(text.toHtmlEscaped().replace(QLatin1Char('\n'), QLatin1String("<br>")));
}

QString singleLine(QString text)
{
    for (auto& c : text)
        if (c.category() == QChar::Other_Control || c == QChar::LineSeparator || c == QChar::ParagraphSeparator)
            c = QLatin1Char(' ');
    return text.simplified();
}

QString errorLine(const std::exception& error)
{
    constexpr int most = 900;
    auto text = fromUtf8(error.what());
    if (!dynamic_cast<const Error*>(&error)) text = text.section(QLatin1Char('\n'), 0, 0);
    text = singleLine(text);
    return text.size() <= most ? text : text.left(most - 1) + QChar(0x2026);
}

QString shortened(const QString& name)
{
    constexpr int most = 28, end = 9;
    return name.size() <= most ? name : name.left(most - end - 1) + QChar(0x2026) + name.right(end);
}

QString shellQuoted(const QString& text)
{
    static const QRegularExpression harmless(QStringLiteral("^[A-Za-z0-9_@%+=:,./-]+$"));
    // A line end would pass the `$` above, and a leading dash or equals sign is for the program to judge, not the
    // shell.
    if (harmless.match(text).hasMatch() && !text.contains(QLatin1Char('\n'))) return text;
    return QLatin1Char('\'') + QString(text).replace(QLatin1Char('\''), QLatin1String("'\\''")) + QLatin1Char('\'');
}

} // namespace pha::ui
