// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

#include <QStringList>
#include <QTableWidget>

#include <vector>

namespace pha::ui {

/// What each part is worth, layer by part: the change of the cross entropy when it is muted, in all layers and in each
/// single one. Colours diverge from zero; every cell has its number.
class AblationTable : public QTableWidget {
    Q_OBJECT

public:
    explicit AblationTable(QWidget* parent = nullptr);

    /// What can be muted in each layer; empties the table if that is not what it was.
    void setNetwork(const ModelConfig& model);
    void begin(); ///< empties it
    void set(const AblationCell& cell); ///< as the engine reports it
    bool complete() const;
    bool nothing() const { return known_.empty(); }
    bool possible() const { return columnCount() > 0; } ///< there is something to mute
    QString csv() const;

private:
    void paintCells();
    int columnOf(const AblationCell& cell) const; ///< -1: not of this model

    QStringList parts_; ///< columns
    std::vector<QStringList> present_; ///< those of each layer
    std::vector<AblationCell> known_;
};

} // namespace pha::ui
