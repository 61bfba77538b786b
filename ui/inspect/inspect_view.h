// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/controls/controls.h"

#include <QCoreApplication>
#include <QWidget>

#include <functional>

class QComboBox;
class QPlainTextEdit;
class QPushButton;
class QSplitter;
class QStackedWidget;
class QTabWidget;

namespace pha {
class Engine;
}

namespace pha::ui {

class ActivationTable;
class CostPane;
class HeadTable;
class LensTable;
class LookLegend;
class MapGrid;
class MapView;
class MemoryTable;
class MessageLabel;
class PushTable;
class ReachTable;
class TokenView;
class WeightPane;
class WeightsBox;

/// The widgets of the panel and where they are. What they do is the panel's business.
struct InspectView {
    Q_DECLARE_TR_FUNCTIONS(InspectView)
public:
    InspectView(QWidget* panel, std::function<Engine&()> engine);

    QPlainTextEdit* prompt;
    WeightsBox* weights;
    QPushButton *look, *stop, *take, *pushesCsv, *reachCsv, *lensCsv, *picture, *nameHeads;
    QLabel* figures;
    EmptyPage empty;
    MessageLabel* message;
    QStackedWidget* pages; ///< 0: what to do, 1: what was seen
    QComboBox* tint;
    LookLegend* legend;
    TokenView* text;
    QTabWidget* tabs; ///< maps, pushes, reach, layers, weights, costs
    QStackedWidget* sides; ///< beside the tabs: the text, the list of tensors or that of parts
    WeightPane* tensors;
    CostPane* costs;
    QSplitter* maps; ///< the small ones and the large one
    MapGrid* grid;
    MapView* map;
    LookLegend* mapScale;
    QLabel *mapTitle, *readout, *noMaps;
    QStackedWidget* mapPages; ///< 0: why there are none, 1: maps
    QComboBox* pushesOf; ///< the selected token, or the whole text
    QLabel* sum;
    PushTable* pushes;
    QComboBox* reachOf; ///< how far back, heads on the text, heads on repeated tokens, half-lives
    QStackedWidget* reachPages; ///< a table each: of reach, of heads, of half-lives
    QLabel* reachSays;
    ReachTable* reach;
    HeadTable* heads;
    MemoryTable* memory;
    QComboBox* lensOf; ///< what the colours of its cells show, or activations instead
    QStackedWidget* lensPages; ///< a table each
    LookLegend* lensLegend;
    QLabel* lensReading;
    LensTable* lens;
    ActivationTable* activations;

private:
    QWidget* buildPrompt(QWidget* panel);
    QWidget* buildText(QWidget* panel);
    QWidget* buildTabs(QWidget* panel);
    QWidget* buildMaps();
    QWidget* buildPushes();
    QWidget* buildReach();
    QWidget* buildLens();
};

} // namespace pha::ui
