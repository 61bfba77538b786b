// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/evaluate/ablation_table.h"

#include "engine/config/families.h"
#include "ui/controls/table_tools.h"
#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/mixer/mix_cell.h"

#include <QHeaderView>

#include <algorithm>
#include <cmath>

namespace pha::ui {

AblationTable::AblationTable(QWidget* parent)
    : QTableWidget(parent)
{
    styleTable(this);
    makeCopyable(this);
    setSelectionBehavior(QAbstractItemView::SelectItems);
    setAccessibleName(tr("Change of the cross entropy for each muted branch"));
    setToolTip(tr("Nats per token that are lost when a branch is muted. Above zero, the network needs the branch."));
    connect(&Theme::instance(), &Theme::changed, this, [this] { paintCells(); });
}

void AblationTable::setNetwork(const ModelConfig& model)
{
    const auto strings = [](const std::vector<std::string>& names) {
        QStringList list;
        for (const auto& name : names) list << fromUtf8(name);
        return list;
    };
    const auto parts = strings(modelParts(model));
    std::vector<QStringList> present;
    for (std::int64_t layer = 0; layer < model.layers; ++layer) present.push_back(strings(layerParts(model, layer)));
    if (parts == parts_ && present == present_) return;
    parts_ = parts;
    present_ = std::move(present);
    begin();
}

int AblationTable::columnOf(const AblationCell& cell) const
{
    return cell.layer < std::int64_t(present_.size()) ? int(parts_.indexOf(fromUtf8(cell.branch))) : -1;
}

void AblationTable::begin()
{
    known_.clear();
    clear();
    const int layers = int(present_.size());
    setRowCount(layers == 0 ? 0 : layers + 1);
    setColumnCount(layers == 0 ? 0 : int(parts_.size()) + 1);
    if (layers == 0) return;
    QStringList heads { QString() };
    for (const auto& part : parts_) heads << branchLabel(part);
    setHorizontalHeaderLabels(heads);
    for (int row = 0; row <= layers; ++row) {
        auto* head = new QTableWidgetItem(row == 0 ? tr("All") : QStringLiteral("L%1").arg(row - 1)); // as in the mixer
        head->setToolTip(row == 0 ? tr("Muted in all layers") : tr("Muted in layer %1").arg(row - 1));
        head->setFlags(Qt::ItemIsEnabled);
        setItem(row, 0, head);
        for (int c = 0; c < parts_.size(); ++c) {
            const bool there = row == 0 || present_[std::size_t(row - 1)].contains(parts_[c]);
            auto* cell = new QTableWidgetItem(there ? QStringLiteral("\u00b7") : QStringLiteral("\u2013"));
            if (!there) cell->setToolTip(tr("Layer %1 has no %2.").arg(row - 1).arg(branchLabel(parts_[c])));
            cell->setTextAlignment(Qt::AlignCenter);
            setItem(row, c + 1, cell);
        }
    }
    horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    horizontalHeader()->setSectionResizeMode(0, QHeaderView::ResizeToContents);
    paintCells();
}

void AblationTable::set(const AblationCell& cell)
{
    if (columnOf(cell) < 0) return;
    known_.push_back(cell);
    paintCells();
}

bool AblationTable::complete() const
{
    auto cells = std::size_t(parts_.size());
    for (const auto& parts : present_) cells += std::size_t(parts.size());
    return cells > 0 && known_.size() == cells;
}

void AblationTable::paintCells()
{
    const auto& c = Theme::instance().colours();
    if (rowCount() == 0) return;
    for (int row = 0; row < rowCount(); ++row) item(row, 0)->setForeground(row == 0 ? c.text : c.muted);
    // The rows of single layers have a scale of their own: a branch muted everywhere costs far more.
    double widest[2] = { 1e-9, 1e-9 };
    for (const auto& k : known_) {
        auto& w = widest[k.layer < 0 ? 0 : 1];
        w = std::max(w, std::abs(k.change));
    }
    for (const auto& k : known_) {
        const int row = int(k.layer) + 1, column = columnOf(k);
        auto* cell = item(row, column + 1);
        if (!cell) continue;
        const double share = std::pow(std::min(1.0, std::abs(k.change) / widest[row == 0 ? 0 : 1]), 0.7);
        const auto& hue = k.change >= 0 ? c.error : c.accent; // red and blue differ for everyone
        auto colour = mixed(c.surface, hue, 0.6 * share);
        for (double s = 0.58; contrast(colour, c.text) < 4.5 && s > 0; s -= 0.05)
            colour = mixed(c.surface, hue, s * share);
        cell->setBackground(colour);
        cell->setForeground(c.text);
        const auto sign = k.change >= 0 ? QStringLiteral("+") : QString(QChar(0x2212));
        cell->setText(sign + formatFixed(std::abs(k.change), 4));
        cell->setToolTip(
            tr("%1 muted in %2: %3 nats/token, perplexity %4 instead of %5")
                .arg(branchLabel(parts_[column]), row == 0 ? tr("all layers") : tr("layer %1").arg(row - 1),
                    formatFixed(k.nll, 4), formatNumber(std::exp(k.nll)), formatNumber(std::exp(k.nll - k.change))));
    }
}

QString AblationTable::csv() const
{
    auto out = csvLine({ QStringLiteral("layer"), QStringLiteral("branch"), QStringLiteral("nats_per_token"),
        QStringLiteral("delta_nats"), QStringLiteral("perplexity") });
    const auto line = [&](const QString& layer, const QString& branch, double nats, double change) {
        out += csvLine({ layer, branch, QString::number(nats, 'g', 12), QString::number(change, 'g', 12),
            QString::number(std::exp(nats), 'g', 12) });
    };
    const auto none = QStringLiteral("none");
    if (!known_.empty()) line(none, none, known_[0].nll - known_[0].change, 0);
    for (const auto& k : known_)
        line(k.layer < 0 ? QStringLiteral("all") : QString::number(k.layer), fromUtf8(k.branch), k.nll, k.change);
    return out;
}

} // namespace pha::ui
