// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/controls/weights_box.h"
#include "ui/playground/blind_vote.h"
#include "ui/playground/generation_history.h"
#include "ui/playground/playground_panel.h"
#include "ui/playground/playground_view.h"
#include "ui/playground/rival_view.h"
#include "ui/work/model_worker.h"

#include <QElapsedTimer>
#include <QPointer>
#include <QTimer>

class QListWidgetItem;

namespace pha::ui {

/// What the playground does, apart from where its widgets are. Writing is in playground_writing.cpp, the second network
/// in playground_duel.cpp, what it says in playground_words.cpp.
class PlaygroundPanel::Private {
public:
    Private(PlaygroundPanel* panel, std::function<Engine&()> engine);
    void connectControls();
    void connectWorker();

    void follow(RunSession* s);
    void update();
    bool canGenerate() const { return session && v.weights->source().available; }

    void begin(const GenerateOptions& options, const QVector<GeneratedToken>& kept, int given, const QString& origin);
    GenerateOptions options();
    /// Writes on after the first `keep` tokens, and after `alternative` if there is one.
    void regrow(int keep, const TokenAlternative* alternative);
    void receive(const QVector<GeneratedToken>& batch);
    /// Whatever was being written stays as it is.
    void finish();
    void show(const WritingPtr& w);
    void step(void (GenerationHistory::*way)());
    void open(QListWidgetItem* item);

    void connectDuel();
    void makeRoom();
    void beginDuel(const GenerateOptions& options, const QVector<GeneratedToken>& kept);
    void showParting();
    void setBlind(bool on);
    void offerTexts(); ///< to be voted on, once both have written
    int duelGiven(const Writing& w) const; ///< tokens that both networks were given

    void showPopup(int index);
    void describe(int index);
    void showFigures();
    void showHistory();
    void showState();
    void fillPromptMenu();
    void remember(const QString& prompt);

    PlaygroundPanel* q;
    QObject guard; ///< what connections to this object live as long as
    PlaygroundView v;
    QPointer<RunSession> session;
    std::size_t mixingSeen = 0;
    QString proposed; ///< the prompt as the program put it there
    GenerationHistory history;
    WritingPtr duel; ///< what the second network writes beside, or has written beside
    bool writing = false, voting = false; ///< voting: names are hidden
    int inherited = 0; ///< tokens of an earlier text that the present one goes on from
    int next = 0; ///< index of the next token that the engine reports
    QElapsedTimer clock; ///< since the first new token
    QTimer hidePopup;
    BlindVote* blind; ///< likewise, until votes are wanted; stands in place of both texts
    RivalView* rival; ///< a widget of the panel; hidden until two networks are compared
    ModelWorker worker; ///< last: stops before the rest goes
};

} // namespace pha::ui
