// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/mixer/branch_mixer.h"

#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/mixer/mix_cell.h"
#include "ui/mixer/mix_faders.h"

#include <QGridLayout>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QToolButton>

#include <algorithm>

namespace pha::ui {

BranchMixer::BranchMixer(QWidget* parent)
    : QWidget(parent)
    , badge_(new QLabel(this))
    , reset_(new QPushButton(tr("Reset"), this))
    , nothing_(new QLabel(tr("The parts of this network are not known yet."), this))
    , scroll_(new QScrollArea(this))
    , faders_(new MixFaders(this))
{
    auto* title = new QLabel(tr("Branch mixer"), this);
    setRole(title, "heading");
    badge_->setObjectName(QStringLiteral("mixBadge"));
    setRole(badge_, "warning");
    reset_->setObjectName(QStringLiteral("mixReset"));
    setRole(reset_, "flat");
    reset_->setToolTip(tr("Back to the weights that the network has learned."));
    reset_->setAccessibleName(tr("Reset the branch mixer"));
    setRole(nothing_, "muted");
    nothing_->setWordWrap(true);

    auto* head = new QHBoxLayout;
    head->setSpacing(10);
    head->addWidget(title);
    head->addWidget(badge_);
    head->addStretch();
    head->addWidget(reset_);

    scroll_->setObjectName(QStringLiteral("mixScroll"));
    scroll_->setWidgetResizable(true);
    scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll_->setFocusPolicy(Qt::NoFocus);
    scroll_->setFrameShape(QFrame::NoFrame);

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(6);
    layout->addLayout(head);
    layout->addWidget(nothing_);
    layout->addWidget(scroll_, 1000); // before the empty room below takes any
    layout->addWidget(faders_);
    layout->addStretch();

    connect(reset_, &QPushButton::clicked, this, &BranchMixer::reset);
    connect(faders_, &MixFaders::moved, this, [this](int branch, double weight) {
        for (const int layer : selected()) setCell(std::size_t(layer), std::size_t(branch), false, weight);
        edited();
    });
    build();
}

BranchMixer::~BranchMixer() = default;

void BranchMixer::setCell(std::size_t layer, std::size_t branch, bool muted, std::optional<double> weight)
{
    auto& cell = cells_[layer][branch];
    if (!cell.present) return;
    cell.muted = muted;
    cell.weight = weight;
}

void BranchMixer::setShape(int layers, const QStringList& branches, const std::vector<QStringList>& present)
{
    const int rows = branches.isEmpty() ? 0 : layers;
    const auto has = [&](int layer, int branch) {
        return std::size_t(layer) >= present.size() || present[std::size_t(layer)].contains(branches[branch]);
    };
    bool same = rows == int(cells_.size()) && branches == branches_;
    for (int l = 0; same && l < rows; ++l)
        for (int b = 0; b < branches.size(); ++b) same &= cells_[std::size_t(l)][std::size_t(b)].present == has(l, b);
    if (same) return;
    branches_ = branches;
    cells_.assign(std::size_t(rows), std::vector<Cell>(std::size_t(branches.size())));
    for (int l = 0; l < rows; ++l)
        for (int b = 0; b < branches.size(); ++b) cells_[std::size_t(l)][std::size_t(b)].present = has(l, b);
    row_ = 0;
    alsoSelected_.assign(std::size_t(rows), false);
    build();
    Q_EMIT changed();
}

void BranchMixer::setLearned(const std::vector<LayerMix>& layers)
{
    for (std::size_t l = 0; l < cells_.size(); ++l) {
        for (std::size_t b = 0; b < cells_[l].size(); ++b) {
            auto& cell = cells_[l][b];
            cell.learned = -1;
            if (l >= layers.size()) continue;
            cell.learned = 1; // of a part that is not mixed
            for (const auto& mix : layers[l].branches)
                if (layers[l].mixed && mix.branch == branches_[int(b)].toStdString()) cell.learned = mix.mean;
        }
    }
    refresh();
}

std::vector<MixOverride> BranchMixer::changes() const
{
    std::vector<MixOverride> out;
    for (int b = 0; b < branches_.size() && !cells_.empty(); ++b) {
        const auto column = std::size_t(b);
        const auto name = branches_[b].toStdString();
        const auto one =
            std::find_if(cells_.begin(), cells_.end(), [&](const auto& row) { return row[column].present; });
        const auto first = one == cells_.end() ? std::nullopt : (*one)[column].value();
        const bool same = std::all_of(cells_.begin(), cells_.end(),
            [&](const auto& row) { return !row[column].present || row[column].value() == first; });
        if (same && first) out.push_back({ -1, name, *first });
        if (same) continue;
        for (std::size_t l = 0; l < cells_.size(); ++l)
            if (const auto value = cells_[l][column].value()) out.push_back({ std::int64_t(l), name, *value });
    }
    return out;
}

void BranchMixer::setChanges(const std::vector<MixOverride>& changes)
{
    for (std::size_t l = 0; l < cells_.size(); ++l)
        for (std::size_t b = 0; b < cells_[l].size(); ++b) setCell(l, b, false, {});
    for (const auto& change : changes) {
        const int column = int(branches_.indexOf(fromUtf8(change.branch)));
        if (column < 0) continue;
        for (std::size_t l = 0; l < cells_.size(); ++l) {
            if (change.layer >= 0 && std::size_t(change.layer) != l) continue;
            const auto& cell = cells_[l][std::size_t(column)];
            const bool muted = change.weight == 0;
            setCell(l, std::size_t(column), muted, muted ? cell.weight : std::optional<double>(change.weight));
        }
    }
    edited();
}

void BranchMixer::reset() { setChanges({}); }

void BranchMixer::setMuted(int layer, const QString& branch, bool muted)
{
    if (const auto column = branches_.indexOf(branch); column >= 0) toggle(layer + 1, int(column), muted);
}

void BranchMixer::setWeight(int layer, const QString& branch, double weight)
{
    const auto column = branches_.indexOf(branch);
    for (std::size_t l = 0; column >= 0 && l < cells_.size(); ++l)
        if (layer < 0 || int(l) == layer) setCell(l, std::size_t(column), false, weight);
    edited();
}

void BranchMixer::toggle(int row, int column, bool muted)
{
    for (std::size_t l = 0; l < cells_.size(); ++l)
        if (row == 0 || int(l) + 1 == row)
            setCell(l, std::size_t(column), muted, cells_[l][std::size_t(column)].weight);
    edited();
}

std::vector<int> BranchMixer::selected() const
{
    std::vector<int> out;
    for (int l = 0; l < int(cells_.size()); ++l)
        if (row_ == 0 || l + 1 == row_ || alsoSelected_[std::size_t(l)]) out.push_back(l);
    return out;
}

void BranchMixer::select(int row)
{
    const auto keys = QGuiApplication::keyboardModifiers();
    if (row > 0 && row_ > 0 && (keys & Qt::ControlModifier)) {
        alsoSelected_[std::size_t(row) - 1] = !alsoSelected_[std::size_t(row) - 1];
    } else if (row > 0 && row_ > 0 && (keys & Qt::ShiftModifier)) {
        for (int r = std::min(row, row_); r <= std::max(row, row_); ++r) alsoSelected_[std::size_t(r) - 1] = true;
    } else {
        std::fill(alsoSelected_.begin(), alsoSelected_.end(), false);
        row_ = row;
    }
    refresh();
}

void BranchMixer::edited()
{
    refresh();
    Q_EMIT changed();
}

void BranchMixer::refresh()
{
    const auto count = changes().size();
    badge_->setText(count == 0 ? QString() : count == 1 ? tr("1 change") : tr("%1 changes").arg(count));
    reset_->setEnabled(count > 0);
    if (cells_.empty()) return;

    const auto chosen = selected();
    std::vector<MixFaders::Value> values;
    for (std::size_t b = 0; b < std::size_t(branches_.size()); ++b) {
        for (std::size_t row = 0; row < buttons_.size(); ++row) {
            double low = -1, high = -1, sum = 0;
            std::size_t muted = 0, all = 0;
            std::optional<double> value;
            for (std::size_t l = 0; l < cells_.size(); ++l) {
                const auto& cell = cells_[l][b];
                if ((row > 0 && l + 1 != row) || !cell.present) continue;
                if (all == 0) value = cell.weight;
                low = all == 0 ? cell.learned : std::min(low, cell.learned);
                high = std::max(high, cell.learned);
                sum += cell.learned;
                muted += cell.muted ? 1 : 0;
                if (cell.weight != value) value.reset();
                ++all;
            }
            auto* button = buttons_[row][b];
            button->setAbsent(all == 0);
            button->setChecked(all > 0 && muted == all);
            button->setPartlyMuted(muted > 0 && muted < all);
            button->setWeights(low, high, all > 0 ? sum / double(all) : -1, value);
        }
        MixFaders::Value v;
        bool first = true;
        double sum = 0, layers = 0;
        for (const int l : chosen) {
            const auto& cell = cells_[std::size_t(l)][b];
            if (!cell.present) continue;
            const auto value = cell.value();
            const auto inForce =
                value ? value : (cell.learned < 0 ? std::nullopt : std::optional<double>(cell.learned));
            v.low = first ? cell.learned : std::min(v.low, cell.learned);
            v.high = std::max(v.high, cell.learned);
            sum += inForce.value_or(0);
            ++layers;
            if (first)
                v.shown = inForce;
            else if (v.shown != inForce)
                v.shown.reset();
            v.changed = v.changed || value.has_value();
            first = false;
        }
        v.present = !first;
        if (layers > 0) v.mean = sum / layers;
        values.push_back(v);
    }
    for (std::size_t row = 0; row < heads_.size(); ++row)
        heads_[row]->setChecked(
            row == 0 ? row_ == 0 : row_ > 0 && std::find(chosen.begin(), chosen.end(), int(row) - 1) != chosen.end());
    QStringList names;
    for (const int l : chosen) names << QString::number(l);
    faders_->setValues(row_ == 0 ? tr("all layers")
            : chosen.size() == 1 ? tr("layer %1").arg(names.front())
                                 : tr("layers %1").arg(names.join(QStringLiteral(", "))),
        values);
}

QString describeMix(const std::vector<MixOverride>& mix)
{
    QStringList out;
    for (const auto& m : mix) {
        const auto place = m.layer < 0 ? BranchMixer::tr("in all layers") : BranchMixer::tr("in layer %1").arg(m.layer);
        const auto what = m.weight == 0 ? BranchMixer::tr("muted") : formatFixed(m.weight, 2);
        out << QStringLiteral("%1 %2 %3").arg(branchLabel(fromUtf8(m.branch)), what, place);
    }
    return out.join(QStringLiteral(", "));
}

} // namespace pha::ui
