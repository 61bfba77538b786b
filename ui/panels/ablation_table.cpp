// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/ablation_table.h"

#include "ui/format.h"
#include "ui/panels/mix_cell.h"
#include "ui/panels/table_tools.h"
#include "ui/theme.h"

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

void AblationTable::setShape(int layers, const QStringList& branches, const std::vector<QStringList>& present)
{
    if (layers == layers_ && branches == branches_ && present == present_) return;
    layers_ = branches.isEmpty() ? 0 : layers;
    branches_ = branches;
    present_ = present;
    begin();
}

bool AblationTable::has(int layer, int branch) const
{
    return layer < 0 || std::size_t(layer) >= present_.size()
        || present_[std::size_t(layer)].contains(branches_[branch]);
}

std::vector<AblationTable::Place> AblationTable::places() const
{
    std::vector<Place> out;
    for (int layer = -1; layer < layers_; ++layer)
        for (int b = 0; b < branches_.size(); ++b)
            if (has(layer, b)) out.push_back({ layer, b });
    return out;
}

std::vector<std::vector<MixOverride>> AblationTable::plan() const
{
    std::vector<std::vector<MixOverride>> out;
    if (layers_ == 0) return out;
    out.emplace_back();
    for (const auto& [layer, branch] : places())
        out.push_back({ MixOverride { layer, branches_[branch].toStdString(), 0 } });
    return out;
}

void AblationTable::begin()
{
    known_.clear();
    clear();
    setRowCount(layers_ == 0 ? 0 : layers_ + 1);
    setColumnCount(layers_ == 0 ? 0 : int(branches_.size()) + 1);
    if (layers_ == 0) return;
    QStringList heads { tr("Layer") };
    for (const auto& branch : branches_) heads << branchLabel(branch);
    setHorizontalHeaderLabels(heads);
    for (int row = 0; row <= layers_; ++row) {
        auto* head = new QTableWidgetItem(row == 0 ? tr("All layers") : tr("Layer %1").arg(row - 1));
        head->setFlags(Qt::ItemIsEnabled);
        setItem(row, 0, head);
        for (int c = 0; c < branches_.size(); ++c) {
            const bool there = has(row - 1, c);
            auto* cell = new QTableWidgetItem(there ? QStringLiteral("\u00b7") : QStringLiteral("\u2013"));
            if (!there) cell->setToolTip(tr("Layer %1 has no %2.").arg(row).arg(branchLabel(branches_[c])));
            cell->setTextAlignment(Qt::AlignCenter);
            setItem(row, c + 1, cell);
        }
    }
    horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    horizontalHeader()->setSectionResizeMode(0, QHeaderView::ResizeToContents);
    paintCells();
}

void AblationTable::set(int index, const EvalEvent& figures)
{
    if (index > 0 && known_.empty()) return; // nothing to compare with
    known_.push_back({ index, figures.nll, figures.perplexity });
    if (index > 0) paintCells();
}

bool AblationTable::complete() const { return layers_ > 0 && known_.size() == places().size() + 1; }

void AblationTable::paintCells()
{
    const auto& c = Theme::instance().colours();
    if (rowCount() == 0) return;
    for (int row = 0; row < rowCount(); ++row) item(row, 0)->setForeground(row == 0 ? c.text : c.muted);
    // The rows of single layers have a scale of their own: a branch muted everywhere costs far more.
    double widest[2] = { 1e-9, 1e-9 };
    const auto where = places();
    const auto placeOf = [&](const Known& k) { return where[std::size_t(k.index - 1)]; };
    for (std::size_t i = 1; i < known_.size(); ++i) {
        auto& w = widest[placeOf(known_[i]).layer < 0 ? 0 : 1];
        w = std::max(w, std::abs(known_[i].nats - known_[0].nats));
    }
    for (std::size_t i = 1; i < known_.size(); ++i) {
        const auto& k = known_[i];
        const int row = placeOf(k).layer + 1, column = placeOf(k).branch;
        auto* cell = item(row, column + 1);
        if (!cell) continue;
        const double delta = k.nats - known_[0].nats;
        const double share = std::pow(std::min(1.0, std::abs(delta) / widest[row == 0 ? 0 : 1]), 0.7);
        const auto& hue = delta >= 0 ? c.error : c.accent; // red and blue differ for everyone
        auto colour = mixed(c.surface, hue, 0.6 * share);
        for (double s = 0.58; contrast(colour, c.text) < 4.5 && s > 0; s -= 0.05)
            colour = mixed(c.surface, hue, s * share);
        cell->setBackground(colour);
        cell->setForeground(c.text);
        cell->setText((delta >= 0 ? QStringLiteral("+") : QString()) + formatFixed(delta, 4));
        cell->setToolTip(
            tr("%1 muted in %2: %3 nats/token, perplexity %4 instead of %5")
                .arg(branchLabel(branches_[column]), row == 0 ? tr("all layers") : tr("layer %1").arg(row - 1),
                    formatFixed(k.nats, 4), formatNumber(k.perplexity), formatNumber(known_[0].perplexity)));
    }
}

QString AblationTable::csv() const
{
    auto out = csvLine({ QStringLiteral("layer"), QStringLiteral("branch"), QStringLiteral("nats_per_token"),
        QStringLiteral("delta_nats"), QStringLiteral("perplexity") });
    const auto where = places();
    for (const auto& k : known_) {
        const auto place = k.index == 0 ? Place() : where[std::size_t(k.index - 1)];
        const auto layer = k.index == 0 ? QStringLiteral("none")
            : place.layer < 0           ? QStringLiteral("all")
                                        : QString::number(place.layer + 1);
        const auto branch = k.index == 0 ? QStringLiteral("none") : branches_[place.branch];
        out += csvLine({ layer, branch, QString::number(k.nats, 'g', 12),
            QString::number(k.nats - known_[0].nats, 'g', 12), QString::number(k.perplexity, 'g', 12) });
    }
    return out;
}

} // namespace pha::ui
