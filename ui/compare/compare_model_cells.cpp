// SPDX-License-Identifier: GPL-3.0-or-later
// CompareModel: what its cells say.
#include "ui/compare/compare_model.h"
#include "ui/controls/table_tools.h"
#include "ui/format.h"

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

using Kind = ComparedFigure::Kind;

/// Numbers below each other: the zeros at the end stay. Small ones have their own digits.
QString aligned(double value, int digits)
{
    const double size = std::abs(value);
    if (!(size >= 0.1 && size < 1e5)) return formatNumber(value, digits);
    const int whole = size < 1 ? 1 : int(std::log10(size)) + 1;
    return QString::number(value, 'f', std::max(0, digits - whole));
}

QString figureText(Kind kind, double value, int digits)
{
    switch (kind) {
    case Kind::Count:
        return formatCount(std::llround(value));
    case Kind::Number:
        return aligned(value, digits);
    case Kind::Rate:
        return formatCompact(value);
    case Kind::Bytes:
        return formatBytes(value);
    }
    return {};
}

const QString unknown = QStringLiteral("\u2013");

/// What the runs of a group have, each value once.
template <class Text> QString together(const SeedGroup& group, const Text& text)
{
    QStringList all;
    for (const auto* run : group.runs)
        if (const QString one = text(*run); !all.contains(one)) all << one;
    return all.join(QStringLiteral(", "));
}

/// Nothing if no run knows it, or if it is not finite in one of them.
std::optional<double> meanOf(const ComparedFigure& figure, const SeedGroup& group)
{
    if (group.runs.size() == 1) return figure.value(*group.runs.front());
    const auto spread = group.spread(figure.value);
    return spread ? std::optional(spread->mean) : std::nullopt;
}

} // namespace

QString CompareModel::nameOf(const SeedGroup& group) const
{
    if (group.runs.size() == 1) return fromUtf8(group.runs.front()->name);
    return tr("%1 (n = %2)").arg(fromUtf8(group.name())).arg(group.runs.size());
}

QString CompareModel::namesOf(const SeedGroup& group) const
{
    return together(group, [](const RunFigures& run) { return fromUtf8(run.name); });
}

QString CompareModel::cell(const Row& row, const SeedGroup& group) const
{
    if (row.kind == Row::Kind::Section) return {};
    if (row.kind == Row::Kind::Key)
        return together(group, [&](const RunFigures& run) { return singleLine(fromUtf8(configText(run, row.key))); });
    const auto& figure = *row.figure;
    if (group.runs.size() > 1) return spreadText(figure, group);
    const auto value = figure.value(*group.runs.front());
    return value ? figureText(figure.kind, *value, 5) : unknown;
}

/// "3.2104 (3.1980 ... 3.2251)", and how many know it if not all do.
QString CompareModel::spreadText(const ComparedFigure& figure, const SeedGroup& group) const
{
    const auto spread = group.spread(figure.value);
    if (!spread) return unknown;
    const auto write = [&](double value) { return figureText(figure.kind, value, 5); };
    auto text = write(spread->mean);
    if (write(spread->least) != write(spread->most))
        text += QStringLiteral(" (%1 \u2026 %2)").arg(write(spread->least), write(spread->most));
    if (spread->count < group.runs.size()) text += tr(", n = %1").arg(spread->count);
    return text;
}

QString CompareModel::eachSeed(const Row& row, const SeedGroup& group) const
{
    QStringList lines;
    for (const auto* run : group.runs)
        lines << QStringLiteral("%1: %2").arg(fromUtf8(run->name), cell(row, SeedGroup { { run } }));
    return lines.join(QLatin1Char('\n'));
}

std::optional<double> CompareModel::delta(const Row& row, const SeedGroup& group) const
{
    if (row.kind != Row::Kind::Figure) return {};
    const auto own = meanOf(*row.figure, group), base = meanOf(*row.figure, groups_.front());
    if (!own || !base || !std::isfinite(*own) || !std::isfinite(*base)) return {};
    return *own - *base;
}

QString CompareModel::deltaText(const Row& row, const SeedGroup& group) const
{
    const auto change = delta(row, group);
    if (!change) return row.kind == Row::Kind::Figure ? unknown : QString();
    if (*change == 0) return QStringLiteral("=");
    const auto sign = *change > 0 ? QStringLiteral("+") : QString(QChar(0x2212));
    const auto kind = row.figure->kind;
    const auto size = figureText(kind, std::abs(*change), 3);
    const double base = *meanOf(*row.figure, groups_.front());
    if (base == 0 || kind == Kind::Count) return sign + size;
    return QStringLiteral("%1%2 (%1%3 %)").arg(sign, size, QString::number(std::abs(*change / base) * 100, 'f', 1));
}

/// A run has one cell; a group that of its mean, and three more.
QStringList CompareModel::exact(const Row& row, const SeedGroup& group) const
{
    const auto number = [](double value) { return QString::number(value, 'g', 17); };
    const bool alone = group.runs.size() == 1;
    if (row.kind == Row::Kind::Key) {
        const auto text = cell(row, group);
        return alone ? QStringList { text } : QStringList { text, {}, {}, {} };
    }
    if (alone) {
        const auto value = row.figure->value(*group.runs.front());
        return { value ? number(*value) : QString() };
    }
    const auto spread = group.spread(row.figure->value);
    if (!spread) return { {}, {}, {}, {} };
    return { number(spread->mean), number(spread->least), number(spread->most), QString::number(spread->count) };
}

QString CompareModel::csv() const
{
    QStringList head { tr("row") };
    for (const auto& group : groups_) {
        const auto name = nameOf(group);
        head << (group.runs.size() == 1 ? name : tr("%1: mean").arg(name));
        if (group.runs.size() > 1)
            head << tr("%1: lowest").arg(name) << tr("%1: highest").arg(name) << tr("%1: runs").arg(name);
    }
    auto out = csvLine(head);
    for (const auto& row : rows_) {
        if (row.kind == Row::Kind::Section) continue;
        QStringList cells { row.label };
        for (const auto& group : groups_) cells << exact(row, group);
        out += csvLine(cells);
    }
    return out;
}

} // namespace pha::ui
