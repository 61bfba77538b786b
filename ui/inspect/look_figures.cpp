// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/look_figures.h"

#include "engine/config/parts.h"
#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/mixer/mix_cell.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pha::ui {

namespace {

/// Attention has weights of its own; state spaces, whose maps are computed, stand after it.
bool isStateSpace(const std::string& part) { return part == "gss" || part == "h3"; }

} // namespace

int MapPlan::at(int row, int column) const
{
    const auto found =
        std::find_if(cells.begin(), cells.end(), [&](const MapCell& c) { return c.row == row && c.column == column; });
    return found == cells.end() ? -1 : int(found - cells.begin());
}

MapPlan planMaps(const InsideView& look)
{
    MapPlan plan;
    for (const bool stateSpaces : { false, true }) {
        for (const auto& map : look.maps) {
            if (isStateSpace(map.part) != stateSpaces) continue;
            const auto part = fromUtf8(map.part);
            auto group =
                std::find_if(plan.groups.begin(), plan.groups.end(), [&](const MapGroup& g) { return g.part == part; });
            if (group == plan.groups.end()) group = plan.groups.insert(group, { part, 0, 0 });
            group->columns = std::max(group->columns, int(map.heads));
        }
    }
    for (auto& group : plan.groups) {
        group.first = plan.columns;
        plan.columns += group.columns;
    }
    for (const auto& map : look.maps) plan.layers.push_back(map.layer);
    std::sort(plan.layers.begin(), plan.layers.end());
    plan.layers.erase(std::unique(plan.layers.begin(), plan.layers.end()), plan.layers.end());
    for (std::size_t m = 0; m < look.maps.size(); ++m) {
        const auto& map = look.maps[m];
        const auto row = std::lower_bound(plan.layers.begin(), plan.layers.end(), map.layer) - plan.layers.begin();
        const auto group = std::find_if(
            plan.groups.begin(), plan.groups.end(), [&](const MapGroup& g) { return g.part == fromUtf8(map.part); });
        for (int head = 0; head < int(map.heads); ++head)
            plan.cells.push_back({ int(m), head, int(row), group->first + head });
    }
    std::stable_sort(plan.cells.begin(), plan.cells.end(),
        [](const MapCell& a, const MapCell& b) { return std::pair(a.row, a.column) < std::pair(b.row, b.column); });
    return plan;
}

QString partTitle(const QString& part)
{
    if (part == QLatin1String("embedding")) return QCoreApplication::translate("Inspect", "Embedding");
    if (part == QLatin1String("norms")) return QCoreApplication::translate("Inspect", "Norms");
    if (part == QLatin1String("mixing")) return QCoreApplication::translate("Inspect", "Mixing");
    if (part == QLatin1String("positions")) return QCoreApplication::translate("Inspect", "Positions");
    return branchLabel(part);
}

QColor partColour(const QString& part)
{
    const auto& c = Theme::instance().colours();
    return part == QLatin1String("embedding") ? c.marker : c.branch(part);
}

QString cellName(const InsideView& look, const MapCell& cell)
{
    const auto& map = look.maps[std::size_t(cell.map)];
    const auto name = QStringLiteral("L%1 \u00b7 %2").arg(map.layer).arg(partTitle(fromUtf8(map.part)));
    return map.heads > 1 ? QCoreApplication::translate("Inspect", "%1 \u00b7 head %2").arg(name).arg(cell.head) : name;
}

QString headKindTitle(int kind)
{
    const QString titles[] { QCoreApplication::translate("Inspect", "previous token"),
        QCoreApplication::translate("Inspect", "self"), QCoreApplication::translate("Inspect", "first token"),
        QCoreApplication::translate("Inspect", "same token"), QCoreApplication::translate("Inspect", "induction") };
    static_assert(std::size(titles) == headKinds.size());
    return titles[kind];
}

const HeadFigures* figuresOf(const InsideView& look, const MapCell& cell)
{
    const auto& map = look.maps[std::size_t(cell.map)];
    const auto found = std::find_if(look.heads.begin(), look.heads.end(), [&](const HeadFigures& head) {
        return head.layer == map.layer && head.part == map.part && head.head == cell.head;
    });
    return found == look.heads.end() ? nullptr : &*found;
}

QString headText(const HeadFigures& head)
{
    QStringList list;
    for (std::size_t kind = 0; kind < head.kinds.size(); ++kind)
        if (const auto& reads = head.kinds[kind]; reads.queries > 0)
            list << QStringLiteral("%1 %2 (%3)")
                        .arg(headKindTitle(int(kind)), sharePercent(reads.share), sharePercent(reads.uniform));
    return list.join(QStringLiteral(", "));
}

std::vector<float> readingRow(const InsideView& look, const MapCell& cell, int token)
{
    const auto& map = look.maps[std::size_t(cell.map)];
    if (token < 0 || token >= map.tokens) return {};
    const auto begin =
        map.weights.begin() + std::ptrdiff_t((std::int64_t(cell.head) * map.tokens + token) * map.tokens);
    return { begin, begin + token + 1 };
}

std::vector<Reading> strongestReadings(const std::vector<float>& row, std::size_t count)
{
    std::vector<Reading> all;
    for (std::size_t s = 0; s < row.size(); ++s)
        if (row[s] > 0) all.push_back({ int(s), double(row[s]) });
    count = std::min(count, all.size());
    std::partial_sort(all.begin(), all.begin() + std::ptrdiff_t(count), all.end(),
        [](const Reading& a, const Reading& b) { return a.share > b.share; });
    all.resize(count);
    return all;
}

QStringList pushingParts(const InsideView& look)
{
    QStringList parts;
    for (const auto& push : look.pushes)
        if (const auto part = fromUtf8(push.part); !parts.contains(part)) parts << part;
    return parts;
}

double pushOf(const LogitPush& push, int token)
{
    const auto n = push.nats.size();
    if (token >= 0) return std::size_t(token) < n ? double(push.nats[std::size_t(token)]) : 0;
    if (n < 2) return 0; // the first token is predicted from nothing
    return std::accumulate(push.nats.begin() + 1, push.nats.end(), 0.0) / double(n - 1);
}

std::vector<PartPush> pushesByPart(const InsideView& look, int token)
{
    std::vector<PartPush> all;
    for (const auto& part : pushingParts(look)) all.push_back({ part, 0 });
    for (const auto& push : look.pushes) {
        const auto part = fromUtf8(push.part);
        std::find_if(all.begin(), all.end(), [&](const PartPush& p) { return p.part == part; })->nats +=
            pushOf(push, token);
    }
    return all;
}

double pushTotal(const std::vector<PartPush>& pushes)
{
    return std::accumulate(
        pushes.begin(), pushes.end(), 0.0, [](double sum, const PartPush& p) { return sum + p.nats; });
}

QStringList comparedParts(const InsideView& look)
{
    const auto all = pushingParts(look);
    QStringList branches;
    for (const auto& name : all)
        if (const auto* part = findPart(name.toStdString()); part && part->branch) branches << name;
    return branches.size() > 1 ? branches : all;
}

PartPush strongestPush(const InsideView& look, int token, const QStringList& parts)
{
    PartPush best;
    for (const auto& push : pushesByPart(look, token))
        if (push.nats > best.nats && parts.contains(push.part)) best = push;
    return best;
}

QString signedNats(double value, int decimals)
{
    if (!std::isfinite(value)) return formatFixed(value, decimals);
    const auto figure = formatFixed(std::abs(value), decimals);
    return (value < 0 ? QString(QChar(0x2212)) : QStringLiteral("+")) + figure;
}

QString sharePercent(double share)
{
    if (!(share >= 0.001)) return QStringLiteral("<0.1 %");
    return formatFixed(100 * share, share < 0.0995 ? 1 : 0) + QStringLiteral(" %");
}

} // namespace pha::ui
