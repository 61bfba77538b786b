// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

#include <QStringList>
#include <QWidget>

#include <memory>
#include <optional>
#include <vector>

class QGridLayout;
class QLabel;
class QPushButton;
class QScrollArea;
class QToolButton;

namespace pha::ui {

class MixCell;
class MixFaders;

/// Mutes branches and sets mixing weights for an evaluation or a generation: a row for each layer and one for all of
/// them, a column for each branch, and faders for the layers that are selected. Never touches the run.
class BranchMixer : public QWidget {
    Q_OBJECT

public:
    explicit BranchMixer(QWidget* parent = nullptr);
    ~BranchMixer() override;

    /// Keeps the changes if the shape stays. No branches: the network has nothing to mix, which is then said. `present`
    /// says which branches each layer has; empty: all of them.
    void setShape(int layers, const QStringList& branches, const std::vector<QStringList>& present = {});
    void setLearned(const std::vector<LayerMix>& layers); ///< shown beside what is changed; empty: not known
    int layers() const { return int(cells_.size()); }
    const QStringList& branches() const { return branches_; }

    std::vector<MixOverride> changes() const; ///< one for all layers where all agree
    void setChanges(const std::vector<MixOverride>& changes);
    void reset();

    void setMuted(int layer, const QString& branch, bool muted); ///< layer -1: all
    void setWeight(int layer, const QString& branch, double weight);

Q_SIGNALS:
    void changed();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    struct Cell {
        bool muted = false;
        std::optional<double> weight; ///< instead of the learned one
        double learned = -1; ///< negative: not known
        bool present = true; ///< the layer has this branch
        std::optional<double> value() const { return muted ? std::optional<double>(0) : weight; }
    };
    void setCell(std::size_t layer, std::size_t branch, bool muted, std::optional<double> weight);
    void build();
    void toggle(int row, int column, bool muted);
    void select(int row);
    void refresh();
    void edited();
    std::vector<int> selected() const; ///< layers that the faders act on

    QStringList branches_;
    std::vector<std::vector<Cell>> cells_; ///< by layer, by branch
    int row_ = 0; ///< selected row: 0 is all layers
    std::vector<bool> alsoSelected_; ///< by layer

    QLabel* badge_;
    QPushButton* reset_;
    QLabel* nothing_;
    QScrollArea* scroll_;
    QWidget* body_ = nullptr;
    std::vector<QToolButton*> heads_; ///< by row
    std::vector<std::vector<MixCell*>> buttons_; ///< by row, by branch
    MixFaders* faders_;
};

/// "attention muted in layer 2, gss 0.50 in all layers"; empty for no changes.
QString describeMix(const std::vector<MixOverride>& mix);

} // namespace pha::ui
