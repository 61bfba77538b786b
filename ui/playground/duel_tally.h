// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

namespace pha::ui {

/// One side of a duel: a run's weights at a step, with what the mixer changes of them.
struct Duellist {
    QString key; ///< tells it from every other: RunSession::identity(), step, changes
    QString name; ///< "pha-tiny-stories, checkpoint of step 1,000"
};

/// Votes between two duellists, whichever side they wrote on.
struct DuelTally {
    int first = 0, second = 0, ties = 0;
    int decided() const { return first + second; }
    int all() const { return decided() + ties; }
};

struct Interval {
    double from = 0, to = 1;
};
/// Where the share of wins lies with 95 % confidence (Wilson): 0 to 1 before the first vote.
Interval winShare(int wins, int decided);

/// Kept in the settings of the program, by pair; the order of the two does not matter.
class DuelTallies {
public:
    static DuelTally of(const Duellist& first, const Duellist& second);
    static void set(const Duellist& first, const Duellist& second, const DuelTally& tally);
    static void reset(const Duellist& first, const Duellist& second);
};

} // namespace pha::ui
