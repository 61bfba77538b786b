// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

#include <QStringList>
#include <QTableWidget>

#include <vector>

namespace pha::ui {

/// What each branch is worth: the change of the cross entropy when it is muted, in all layers and in each single one.
/// Colours diverge from zero; every cell has its number.
class AblationTable : public QTableWidget {
    Q_OBJECT

public:
    explicit AblationTable(QWidget* parent = nullptr);

    /// Empties it if the shape is another. `present` says which branches each layer has; empty: all of them.
    void setShape(int layers, const QStringList& branches, const std::vector<QStringList>& present = {});
    /// Evaluations that fill the table: the unchanged network first, then a cell each, row by row. The cell of a branch
    /// that its layer lacks is not among them.
    std::vector<std::vector<MixOverride>> plan() const;
    void begin(); ///< empties it
    void set(int index, const EvalEvent& figures); ///< answer to plan()[index]
    bool complete() const;
    bool nothing() const { return known_.empty(); }
    QString csv() const;

private:
    struct Known {
        int index = 0;
        double nats = 0, perplexity = 0;
    };
    struct Place {
        int layer = -1, branch = 0; ///< layer -1: all
    };
    void paintCells();
    bool has(int layer, int branch) const;
    std::vector<Place> places() const; ///< of the evaluations after the first

    int layers_ = 0;
    QStringList branches_;
    std::vector<QStringList> present_;
    std::vector<Known> known_; ///< the first is the unchanged network
};

} // namespace pha::ui
