// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/inspect/inspect_panel.h"
#include "ui/inspect/inspect_view.h"
#include "ui/inspect/look_figures.h"
#include "ui/work/model_worker.h"

#include <QByteArray>
#include <QPointer>

#include <functional>

namespace pha::ui {

/// What the panel does, apart from where its widgets are. What it says is in inspect_words.cpp.
class InspectPanel::Private {
public:
    enum ReachOf { HowFar, HeadsOnText, HeadsOnRepeats, HalfLives }; ///< in the order of the box
    static constexpr int Activations = 3; ///< in the box of the layers, behind LensTable::Tint
    enum Tint { Looks, Pushed, Probability, None }; ///< in the order of the box
    Private(InspectPanel* panel, std::function<Engine&()> engine);
    void connectControls();
    void connectTokens();
    void connectWorker();
    void connectWeights();

    void follow(RunSession* s);
    void update(); ///< the run has grown: its first checkpoint, or a prompt to propose
    bool canLook() const;
    bool showsWeights() const; ///< the tab with the tensors is in front
    bool showsCosts() const; ///< that with the costs
    bool busy() const; ///< with what is in front
    void takeOther();
    void receive(const LookPtr& view);
    void nameHeads();
    void receive(const HeadTestPtr& test);
    void show(const LookPtr& view); ///< null: nothing
    void select(int token);
    void showMap(int cell); ///< also one that the pointer only passes
    /// Of what is shown before it is asked where: another run may be selected meanwhile.
    void save(const QString& suggestion, const QByteArray& bytes);

    void paintTokens();
    void showLegend();
    void showToken();
    void showReading(); ///< of the selected row, or of the key that is pointed at
    QString readingAt(int at, int key) const; ///< "...looks at...": 34 %
    void showSum();
    void showReach(); ///< the table that was chosen of it, and what it says
    QString reachText() const;
    const InsideView& seen() const; ///< empty: nothing yet
    const std::vector<HeadFigures>& headsShown() const; ///< of the two tests, the one that was chosen
    bool showsActivations() const; ///< in place of what the layers say
    void showLens(); ///< what the chosen layer says of the selected token, or what there is of the chosen row
    void showLensLegend();
    void showTip(int index);
    void showState();
    QString quoted(int index) const;
    int tokens() const { return look ? int(look->tokens.size()) : 0; }

    InspectPanel* q;
    QObject guard; ///< what connections to this object live as long as
    InspectView v;
    QPointer<RunSession> session;
    QString proposed; ///< the text as the program put it there
    std::function<QString()> otherText;
    LookPtr look;
    HeadTestPtr test; ///< null: not made yet
    WeightsInfo weights;
    int token = -1; ///< selected
    int mapRows = 0; ///< for which the large map has left room
    int cell = -1; ///< of the grid's plan, shown large
    ModelWorker worker; ///< last: stops before the rest goes
};

} // namespace pha::ui
