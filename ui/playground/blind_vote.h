// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/playground/duel_tally.h"

#include <QFrame>

#include <array>

class QLabel;
class QPlainTextEdit;
class QPushButton;
class QToolButton;

namespace pha::ui {

/// Two texts without names, side by side in an order that nobody knows, and a vote on them. Names come after it.
class BlindVote : public QFrame {
    Q_OBJECT

public:
    enum class Vote { Left, Right, Tie };
    explicit BlindVote(QWidget* parent);

    /// The two write. They are not shown before both have: the faster one would be known.
    void begin();
    bool waiting() const { return waiting_; } ///< for texts
    /// What they wrote; whose is left is drawn now.
    void offer(const Duellist& first, const QString& firstText, const Duellist& second, const QString& secondText);
    void cancel(const QString& why); ///< there is nothing to vote on
    void vote(Vote vote);
    bool canVote() const { return offered_; }
    bool turned() const { return turned_; } ///< the second one's text is left; for tests
    const DuelTally& tally() const { return tally_; }

Q_SIGNALS:
    void left(); ///< the user wants to see names again

protected:
    void keyPressEvent(QKeyEvent* event) override;

private:
    struct Side {
        QLabel* name;
        QPlainTextEdit* text;
    };
    void build();
    Side buildSide(const char* name, const QString& what);
    void reveal(Vote vote);
    void resetTally();
    void showState();
    void showTally();

    Duellist first_, second_;
    DuelTally tally_;
    bool waiting_ = false, offered_ = false, turned_ = false, known_ = false; ///< known: there is a pair
    std::array<Side, 2> sides_ {}; ///< left and right
    QLabel *say_ = nullptr, *score_ = nullptr;
    QPushButton *voteLeft_ = nullptr, *voteRight_ = nullptr, *tie_ = nullptr, *reset_ = nullptr;
    QToolButton* blind_ = nullptr;
};

} // namespace pha::ui
