// SPDX-License-Identifier: GPL-3.0-or-later
// The figures of a mix: their texts, means and table.
#include "ui/charts/mixing_bars.h"
#include "ui/format.h"

#include <algorithm>
#include <cmath>

namespace pha::ui {

double mixValue(const BranchMix& branch, MixQuantity quantity)
{
    return quantity == MixQuantity::Share ? branch.normalised
        : quantity == MixQuantity::Weight ? branch.mean
                                          : branch.contribution;
}

QString mixText(double value, MixQuantity quantity, int decimals)
{
    if (!std::isfinite(value)) return QStringLiteral("–");
    if (quantity == MixQuantity::Share) return QString::number(value * 100, 'f', decimals) + QStringLiteral(" %");
    return QString::number(value, 'f', decimals + 1);
}

MixSummary summarise(const std::vector<LayerMix>& layers, MixQuantity quantity)
{
    MixSummary s;
    std::vector<const std::string*> names; // compared as they are: a long run has hundreds of thousands of them
    std::vector<int> counts;
    const auto place = [&names](const BranchMix& b) {
        std::size_t i = 0;
        while (i < names.size() && *names[i] != b.branch) ++i;
        return i;
    };
    const bool mixed = anyMixed(layers); // then a layer whose mix was pruned has no weights that could count
    // Layers may differ in their branches: each branch is averaged over the layers that have it.
    for (const auto& layer : layers) {
        if (layer.mixed != mixed) continue;
        ++s.layers;
        for (const auto& b : layer.branches) {
            const auto i = place(b);
            if (i == names.size()) {
                names.push_back(&b.branch);
                counts.push_back(0);
                s.mean << 0;
                s.deviation << 0;
            }
            s.mean[qsizetype(i)] += mixValue(b, quantity);
            ++counts[i];
        }
        s.entropy += layer.entropy;
    }
    s.entropy /= std::max(1, s.layers);
    for (std::size_t i = 0; i < names.size(); ++i) {
        s.branches << fromUtf8(*names[i]);
        s.mean[qsizetype(i)] /= counts[i];
    }
    for (const auto& layer : layers)
        for (const auto& b : layer.branches) {
            if (layer.mixed != mixed) break;
            const auto i = place(b);
            s.deviation[qsizetype(i)] += std::pow(mixValue(b, quantity) - s.mean[qsizetype(i)], 2) / counts[i];
        }
    for (auto& d : s.deviation) d = std::sqrt(d);
    return s;
}

QString MixingBars::describe(int row) const
{
    if (row < 0 || row >= rows()) return {};
    QStringList lines;
    if (row == 0) {
        lines << (summary_.layers == 1 ? tr("Mean over 1 layer") : tr("Mean over %1 layers").arg(summary_.layers));
        for (int i = 0; i < summary_.branches.size(); ++i)
            lines << tr("%1: %2, deviation %3")
                         .arg(summary_.branches[i], mixText(summary_.mean[i], quantity_, 2),
                             mixText(summary_.deviation[i], quantity_, 2));
    } else {
        lines << tr("Layer %1").arg(row - 1);
        for (const auto& b : layers_[std::size_t(row - 1)].branches) {
            if (!mixes(row)) {
                lines << tr("%1: writes %2 of the residual stream, output rms %3")
                             .arg(fromUtf8(b.branch), formatNumber(b.contribution, 3), formatNumber(b.outputRms, 3));
                continue;
            }
            const auto name = fromUtf8(b.branch), share = mixText(b.normalised, MixQuantity::Share, 2),
                       weight = formatNumber(b.mean), contribution = formatNumber(b.contribution, 3),
                       rms = formatNumber(b.outputRms, 3);
            lines << (b.deviation > 0 || b.maximum > b.minimum
                    ? tr("%1: share %2, weight %3 ± %4 (%5 to %6), contribution %7, output rms %8")
                          .arg(name, share, weight, formatNumber(b.deviation, 3), formatNumber(b.minimum, 3),
                              formatNumber(b.maximum, 3), contribution, rms)
                    : tr("%1: share %2, weight %3, contribution %4, output rms %5")
                          .arg(name, share, weight, contribution, rms));
        }
    }
    if (mixes(row)) lines << tr("Entropy %1 (1: even, 0: one branch)").arg(formatFixed(entropyOf(row), 3));
    return lines.join(QLatin1Char('\n'));
}

QString MixingBars::rowName(int row) { return row == 0 ? tr("mean") : QStringLiteral("L%1").arg(row - 1); }

ChartSheet MixingBars::sheet() const
{
    return { tr("Mixing weights"),
        { tr("layer"), tr("branch"), tr("share"), tr("weight"), tr("deviation"), tr("smallest"), tr("largest"),
            tr("contribution"), tr("output rms"), tr("entropy") },
        [this] {
            int n = 0;
            for (const auto& layer : layers_) n += int(layer.branches.size());
            return n;
        },
        [this](int row, int column) -> QVariant {
            for (std::size_t l = 0; l < layers_.size(); ++l) {
                const auto& branches = layers_[l].branches;
                if (row >= int(branches.size())) {
                    row -= int(branches.size());
                    continue;
                }
                const auto& b = branches[std::size_t(row)];
                if (column == 1) return fromUtf8(b.branch);
                if (!layers_[l].mixed && ((column >= 2 && column <= 6) || column == 9)) return {};
                const double values[] = { double(l), 0, b.normalised, b.mean, b.deviation, b.minimum, b.maximum,
                    b.contribution, b.outputRms, layers_[l].entropy };
                return values[column];
            }
            return {};
        } };
}

} // namespace pha::ui
