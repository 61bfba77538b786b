// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/inspect/look_figures.h"

#include <QTableWidget>

namespace pha::ui {

/// What each head does: how much of what it reads lies in places of each kind, and its name if one stands out.
class HeadTable : public QTableWidget {
    Q_OBJECT

public:
    explicit HeadTable(QWidget* parent = nullptr);
    void setHeads(const std::vector<HeadFigures>& heads);
    static QString csv(const std::vector<HeadFigures>& heads);

private:
    void paintCells();
    std::vector<HeadFigures> heads_;
};

/// How long the states of each layer remember: quantiles of their half-lives.
class MemoryTable : public QTableWidget {
    Q_OBJECT

public:
    explicit MemoryTable(QWidget* parent = nullptr);
    void setMemory(const std::vector<StateMemory>& memory);
    static QString csv(const std::vector<StateMemory>& memory);

private:
    void paintCells();
    std::vector<StateMemory> memory_;
};

} // namespace pha::ui
