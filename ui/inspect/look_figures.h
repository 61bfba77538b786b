// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"

#include <QColor>
#include <QString>
#include <QStringList>

#include <memory>
#include <vector>

namespace pha::ui {

/// A look inside is large and is shown by several widgets: they share one that nobody changes.
using LookPtr = std::shared_ptr<const InsideView>;
using HeadTestPtr = std::shared_ptr<const HeadTest>;

/// One picture: a head of a map, or the whole map of a part that has no heads.
struct MapCell {
    int map = 0; ///< in InsideView::maps
    int head = 0;
    int row = 0, column = 0; ///< in the grid of pictures
};
/// Neighbouring columns of the grid that belong to one part.
struct MapGroup {
    QString part;
    int first = 0, columns = 1;
};
/// Where the pictures of a look stand: a row for each layer that has maps; attention first, head by head, then what
/// has no heads.
struct MapPlan {
    std::vector<std::int64_t> layers; ///< of each row
    std::vector<MapGroup> groups;
    std::vector<MapCell> cells; ///< row by row
    int columns = 0;
    int at(int row, int column) const; ///< index of the cell there; -1: none
};
MapPlan planMaps(const InsideView& look);
QString partTitle(const QString& part); ///< "GSS", "Embedding"
QColor partColour(const QString& part); ///< that of its branch; the embedding has one of its own
QString cellName(const InsideView& look, const MapCell& cell); ///< "L2 · Attention · head 3"

QString headKindTitle(int kind); ///< of headKinds: "previous token"
const HeadFigures* figuresOf(const InsideView& look, const MapCell& cell); ///< null: there are none
/// "previous token 70 % (14 %), self 30 % (14 %)": each beside what reading all alike would give.
QString headText(const HeadFigures& head);

/// The share of each token in what is read at `token`; empty if there is no such token.
std::vector<float> readingRow(const InsideView& look, const MapCell& cell, int token);
/// Tokens of a row with their shares, largest first.
struct Reading {
    int token = 0;
    double share = 0;
};
std::vector<Reading> strongestReadings(const std::vector<float>& row, std::size_t count);

/// Which parts push in a look, in the order in which they are met; the embedding is first.
QStringList pushingParts(const InsideView& look);
/// What one part of one layer adds to the logit of `token`; of -1: the mean over all tokens that were predicted.
double pushOf(const LogitPush& push, int token);
struct PartPush {
    QString part;
    double nats = 0;
};
/// All layers of each part together, in the order of pushingParts().
std::vector<PartPush> pushesByPart(const InsideView& look, int token);
double pushTotal(const std::vector<PartPush>& pushes); ///< logit - mean logit
/// Whose pushes are compared: the branches of a hybrid, or all parts where there are no two of them.
QStringList comparedParts(const InsideView& look);
/// The one of `parts` with the largest push; no name if none pushed towards the token.
PartPush strongestPush(const InsideView& look, int token, const QStringList& parts);

QString signedNats(double value, int decimals = 2); ///< "+1.20", "−0.31"
QString sharePercent(double share); ///< "34 %", "2.1 %", "<0.1 %"

} // namespace pha::ui
